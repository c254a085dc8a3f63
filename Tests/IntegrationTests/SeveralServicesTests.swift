// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import Synchronization
import Testing

/// Clients that know several services, without a load balancer.
@Suite(.timeLimit(.minutes(2))) struct SeveralServicesTests {
    @Test(arguments: [SIGTERM, SIGKILL])
    func `of two services one ends under load and no call fails`(signal: Int32) async throws {
        let one = try await RunningService()
        let two = try await RunningService()
        var configuration = ClientConfiguration([try ServerAddress(one.address), try ServerAddress(two.address)])
        configuration.timeout = .seconds(60)
        let calls = CallCount()
        let (underLoad, load) = AsyncStream.makeStream(of: Void.self)
        try await CacheClient.withClient(configuration) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        defer { load.finish() }
                        for _ in 0..<500 {
                            _ = try await client.ping()
                            if calls.next() == 1000 { load.yield() }
                        }
                    }
                }
                for await _ in underLoad { break }
                one.send(signal)
                try await group.waitForAll()
            }
        }
        #expect(calls.next() == 4001)
        #expect(await one.exitStatus == (signal == SIGTERM ? 0 : -SIGKILL))
    }

    @Test func `the command line asks the service that is there`() async throws {
        let gone = try await RunningService()
        let service = try await RunningService()
        _ = await gone.stop(SIGTERM)
        let servers = ["--server", "\(gone.address),\(service.address)"]
        let stored = try await Programs.run("semcache", ["store", "How far is the moon?", "Far."] + servers)
        let found = try await Programs.run("semcache", ["lookup", "How far is the moon?"] + servers)
        // Each is asked.
        let ping = try await Programs.run("semcache", ["ping"] + servers)
        #expect(stored.status == 0, "\(stored.errors)")
        #expect(found.output.contains("Far."))
        #expect(ping.status == 2)
        #expect(ping.output.hasPrefix("\(service.address): semcached"))
    }
}

private final class CallCount: Sendable {
    private let count = Atomic<Int>(0)

    func next() -> Int { self.count.add(1, ordering: .relaxed).newValue }
}
