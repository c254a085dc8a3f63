// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CoreMetrics
import Foundation
import HTTPEmbedder
import Logging
import MetricsTestKit
import TestSupport
import Testing

/// In files and variables of these tests.
let secret = "sk-never-to-be-seen"

/// OpenAI's protocol with nothing that happens of itself: one attempt, no canary.
func configuration(
    _ url: String, _ change: (inout HTTPEmbedder.Configuration) -> Void = { _ in }
) -> HTTPEmbedder.Configuration {
    var configuration = HTTPEmbedder.Configuration(
        provider: .openAICompatible, baseURL: url, model: ProviderServer.model, dimensions: ProviderServer.dimensions)
    configuration.attempts = 1
    configuration.canaryInterval = nil
    configuration.requestTimeout = .seconds(60)
    configuration.connectTimeout = .seconds(60)
    change(&configuration)
    return configuration
}

func withEmbedder<Value: Sendable>(
    _ configuration: HTTPEmbedder.Configuration, knownCanary: Embedding? = nil,
    logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, metrics: TestMetrics = TestMetrics(),
    onCanary: (@Sendable (Embedding) -> Void)? = nil, _ body: (HTTPEmbedder) async throws -> Value
) async throws -> Value {
    let embedder = try HTTPEmbedder(
        configuration, knownCanary: knownCanary, logger: logger, metrics: metrics, onCanary: onCanary)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await embedder.run() }
        let value = try await body(embedder)
        group.cancelAll()
        return value
    }
}

extension HTTPEmbedder {
    func vectors(_ texts: [String], within time: Duration = .seconds(60)) async throws -> [Embedding] {
        try await withCheckedContinuation { continuation in
            self.embed(texts, by: .now + time) { continuation.resume(returning: $0) }
        }.map { try $0.get() }
    }

    /// What the caller sees.
    func code(_ text: String = "a", within time: Duration = .seconds(60)) async -> EmbedderError.Code? {
        do {
            _ = try await self.vectors([text], within: time)
            return nil
        } catch {
            return (error as? EmbedderError)?.code
        }
    }
}

/// Close enough for what went through a decimal form, or was made to be of unit length again.
func expectSame(_ one: [Embedding], _ other: [Embedding], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(one.count == other.count, sourceLocation: sourceLocation)
    for (one, other) in zip(one, other) {
        let distance = zip(one.values, other.values).map { abs($0 - $1) }.max() ?? 1
        #expect(distance < 1e-6, sourceLocation: sourceLocation)
    }
}

/// A file that goes with its holder.
final class SecretFile: Sendable {
    let path = FileManager.default.temporaryDirectory.appending(path: "secret-\(UUID().uuidString)").path

    init(_ text: String) throws { try self.replace(text) }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    func replace(_ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: self.path), options: .atomic)
    }
}
