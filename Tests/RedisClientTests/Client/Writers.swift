// SPDX-License-Identifier: Apache-2.0

import RedisClient
import Testing

/// Tasks that write as fast as they can until they are told to stop: each ever higher numbers into a set.
final class Writers: Sendable {
    static let count = 8
    let isOver = Shared(false)
    /// By writer, the numbers whose write was acknowledged.
    let acknowledged = Shared([[Int]](repeating: [], count: Writers.count))
    let failures = Shared<[RedisError]>([])

    /// A write that fails is not tried again: the next number is.
    func run(_ writer: Int, _ client: RedisClient) async {
        var last = 0
        while !self.isOver.now {
            last += 1
            let number = last
            if let error = await client.failure(command("SADD", "w\(writer)", "\(number)")) {
                self.failures.change { $0.append(error) }
            } else {
                self.acknowledged.change { $0[writer].append(number) }
            }
        }
    }

    /// Waits until each has written some more.
    func advance(_ client: RedisClient) async throws {
        let before = self.acknowledged.now
        while !zip(self.acknowledged.now, before).allSatisfy({ $0.count >= $1.count + 20 }) {
            try Task.checkCancellation()
            // Takes its time, unlike asking the writers again and again.
            _ = await client.failure(command("PING"))
        }
    }

    /// What is in the writer's set.
    func numbers(_ writer: Int, _ client: RedisClient) async throws -> Set<Int> {
        guard case .array(let members) = try await client.send(command("SMEMBERS", "w\(writer)")) else { return [] }
        return Set(members.compactMap(\.text).compactMap { Int($0) })
    }
}
