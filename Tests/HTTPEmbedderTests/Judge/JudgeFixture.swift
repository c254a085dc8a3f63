// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import HTTPEmbedder
import Logging
import MetricsTestKit
import TestSupport
import Testing

/// Nothing that happens of itself, and all the time in the world.
func judgeConfiguration(
    _ url: String, _ change: (inout HTTPJudge.Configuration) -> Void = { _ in }
) -> HTTPJudge.Configuration {
    var configuration = HTTPJudge.Configuration(name: "judge", baseURL: url, model: "small-chat")
    configuration.requestTimeout = .seconds(60)
    configuration.connectTimeout = .seconds(60)
    change(&configuration)
    return configuration
}

func withJudge<Value: Sendable>(
    _ configuration: HTTPJudge.Configuration,
    logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, metrics: TestMetrics = TestMetrics(),
    _ body: (HTTPJudge) async throws -> Value
) async throws -> Value {
    let judge = try HTTPJudge(configuration, logger: logger, metrics: metrics)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await judge.run() }
        let value = try await body(judge)
        group.cancelAll()
        return value
    }
}

extension HTTPJudge {
    func opinion(
        _ asked: String = "one", _ stored: String = "two", tenant: String = "acme",
        within time: Duration = .seconds(60)
    ) async -> JudgeOpinion {
        guard let asked = try? CanonicalPrompt(asked), let stored = try? CanonicalPrompt(stored) else {
            Issue.record("no prompt")
            return JudgeOpinion(isSame: nil)
        }
        let partition = Partition(
            of: CacheScope("c", of: TenantScope(authenticated: TenantID(tenant))),
            embedding: EmbeddingIdentity(provider: "test", model: "m", dimensions: 8, revision: "1"), vary: [])
        return await self.opinion(on: asked, and: stored, of: partition.key, by: .now + time)
    }

    /// What a probe says is wrong.
    func probeCode() async -> EmbedderError.Code? {
        do throws(EmbedderError) {
            try await self.probe(by: .now + .seconds(60))
            return nil
        } catch {
            return error.code
        }
    }
}

extension ProviderServer.Answer {
    /// A whole reply of a chat model, whose content is JSON.
    static func chat(_ content: String, finish: String = "\"stop\"", tokens: Int = 42) -> Self {
        .body(ChatText.reply(content, finish: finish, tokens: tokens))
    }

    static let yes = Self.chat("\"yes\"")
}

enum ChatText {
    static func choice(_ content: String, finish: String = "\"stop\"") -> String {
        #"{"index":0,"message":{"role":"assistant","content":\#(content),"refusal":null},"finish_reason":\#(finish)}"#
    }

    static func reply(_ content: String, finish: String = "\"stop\"", tokens: Int = 42) -> String {
        self.list([self.choice(content, finish: finish)], usage: #"{"prompt_tokens":40,"total_tokens":\#(tokens)}"#)
    }

    static func list(_ choices: [String], usage: String = "null") -> String {
        #"{"id":"c","object":"chat.completion","model":"small-chat-1","choices":[\#(choices.joined(separator: ","))],"#
            + #""usage":\#(usage)}"#
    }
}
