// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import NIOPosix
import RedisClient
import Synchronization
import TestSupport

func bytes(_ text: String) -> RESPValue { .bytes(ByteBuffer(string: text)) }

extension RedisNode {
    convenience init(
        port: Int, _ configuration: RedisNodeConfiguration = RedisNodeConfiguration(), log: RecordedLog = RecordedLog()
    ) {
        self.init(
            address: RedisAddress(host: "127.0.0.1", port: port), configuration: configuration,
            group: MultiThreadedEventLoopGroup.singleton, logger: log.logger)
    }

    /// With a deadline that is reached only if something is wrong.
    func send(_ words: String..., isAsking: Bool = false, within time: TimeAmount = .seconds(30))
        async throws(RedisError)
        -> RESPValue
    {
        var command = RedisCommand(words[0], isRepeatable: false)
        for word in words.dropFirst() { command.append(word) }
        return try await self.send(command, isAsking: isAsking, by: .now() + time)
    }

    /// What a command fails with; `nil` if it does not.
    func failure(_ words: String..., within time: TimeAmount = .seconds(30)) async -> RedisError? {
        var command = RedisCommand(words[0], isRepeatable: false)
        for word in words.dropFirst() { command.append(word) }
        do throws(RedisError) {
            _ = try await self.send(command, by: .now() + time)
            return nil
        } catch {
            return error
        }
    }
}

func configuration(connections: Int = 1, _ change: (inout RedisNodeConfiguration) -> Void = { _ in })
    -> RedisNodeConfiguration
{
    var configuration = RedisNodeConfiguration()
    configuration.connections = connections
    configuration.connectTimeout = .seconds(10)
    change(&configuration)
    return configuration
}

/// Answers `ECHO x` with x, as the second word says it.
func echo(_ arguments: [[UInt8]]) -> ScriptedRedisServer.Reply? {
    guard String(decoding: arguments[0], as: UTF8.self) == "ECHO" else { return nil }
    return .bulk(String(decoding: arguments[1], as: UTF8.self))
}
