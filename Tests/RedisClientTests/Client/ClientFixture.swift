// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import NIOPosix
import OpenSSLTLS
import RedisClient
import Synchronization
import TestSupport

/// A client for the length of a test.
///
/// - Parameter connectTimeout: Long, so that no test of something else fails on a busy machine.
func withClient<Result>(
    _ url: String, timeout: Duration = .seconds(20), patience: Duration? = nil,
    connectTimeout: Duration = .seconds(20), tls: TLSClientConfiguration = TLSClientConfiguration(),
    logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
    _ body: (RedisClient) async throws -> Result
) async throws -> Result {
    var configuration = try RedisConfiguration(url: url, tls: tls)
    configuration.commandTimeout = timeout
    configuration.connectTimeout = connectTimeout
    if let patience { configuration.patience = patience }
    let client = RedisClient(configuration, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
    do {
        let result = try await body(client)
        await client.close()
        return result
    } catch {
        await client.close()
        throw error
    }
}

func command(_ words: String..., isRepeatable: Bool = true, timeout: Duration? = nil) -> RedisCommand {
    var command = RedisCommand(
        words[0], route: words.count > 1 ? .key(slot: RedisKey(words[1]).slot) : .any, isRepeatable: isRepeatable)
    for word in words.dropFirst() { command.append(word) }
    command.timeout = timeout
    return command
}

extension RedisClient {
    /// The error of a command that must have none.
    func failure(_ command: RedisCommand) async -> RedisError? {
        do throws(RedisError) {
            _ = try await self.send(command)
            return nil
        } catch {
            return error
        }
    }
}

extension RESPValue {
    var text: String? {
        if case .bytes(let bytes) = self { String(buffer: bytes) } else { nil }
    }
}

/// What a test and its servers both use.
final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    var now: Value { self.value.withLock { $0 } }

    func change(_ body: @Sendable (inout Value) -> Void) { self.value.withLock { body(&$0) } }
}

/// Answers that come one after the other, the last of them again and again.
final class Answers: Sendable {
    private let rest: Mutex<[ScriptedRedisServer.Reply]>

    init(_ answers: ScriptedRedisServer.Reply...) { self.rest = Mutex(answers) }

    func next() -> ScriptedRedisServer.Reply {
        self.rest.withLock { rest in rest.count > 1 ? rest.removeFirst() : rest[0] }
    }
}

extension ScriptedRedisServer {
    var address: String { "127.0.0.1:\(self.port)" }

    /// Starts one that gives these answers to a command of this name (in capitals).
    static func start(_ name: String, _ answers: Answers) async throws -> ScriptedRedisServer {
        try await Self.start { _, arguments in arguments.first == Array(name.utf8) ? answers.next() : nil }
    }
}
