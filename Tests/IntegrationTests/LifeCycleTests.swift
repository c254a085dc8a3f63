// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct LifeCycleTests {
    @Test func `SIGTERM under the load of 64 connections fails no call, once another service has taken the port`()
        async throws
    {
        let port = try FreePorts.find(1)[0]
        let first = try await Self.service(on: port, answering: "first")
        var configuration = ClientConfiguration(ServerAddress(host: "127.0.0.1", port: port))
        // While nobody listens. Those in flight need no second try: GoAway comes before the end.
        configuration.waitsForConnection = true
        configuration.timeout = .seconds(30)
        configuration.maximumBackoff = .milliseconds(200)
        let tally = Tally()
        let load = NativeLoad(configuration, connections: 64, counting: tally)
        await tally.wait(for: 2_000, from: "first")
        #expect(await first.stop(SIGTERM) == 0)
        let second = try await Self.service(on: port, answering: "second")
        await tally.wait(for: 2_000, from: "second")
        await load.stop()
        #expect(tally.failures == [])
        // Between its start and its first Store the second one has nothing to serve.
        #expect(Set(tally.served.keys).isSubset(of: ["first", "second", "nobody"]))
        #expect(await second.stop(SIGTERM) == 0)
    }

    private static func service(on port: Int, answering name: String) async throws -> RunningService {
        let service = try await RunningService(port: port)
        let stored = try await service.semcache("store", Replica.question, name)
        try #require(stored.status == 0, "\(stored.errors)")
        return service
    }
}
