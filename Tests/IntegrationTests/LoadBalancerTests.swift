// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import Testing

// The load balancers' configurations of `deploy/`, with real services behind them. One after the other: they compete
// for processors, and the balancers' checks have deadlines.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LoadBalancerTests {
    enum Wire: CaseIterable {
        case native
        case grpc
    }

    private static func load(
        _ wire: Wire, through balancer: LoadBalancer, connections: Int, counting tally: Tally
    ) throws -> any Load {
        switch wire {
        case .native: NativeLoad(ClientConfiguration(balancer.address), connections: connections, counting: tally)
        case .grpc: try GRPCLoad(port: balancer.grpcPort, connections: connections, counting: tally)
        }
    }

    @Test(arguments: LoadBalancer.Kind.here, Wire.allCases)
    func `calls are spread over both services`(kind: LoadBalancer.Kind, wire: Wire) async throws {
        let replicas = [try await Replica("a", drainDelay: 0), try await Replica("b", drainDelay: 0)]
        let balancer = try await LoadBalancer(kind, before: replicas)
        // Both end with the object, which is otherwise let go after its last use.
        defer { withExtendedLifetime((replicas, balancer)) {} }
        let tally = Tally()
        let load = try Self.load(wire, through: balancer, connections: 16, counting: tally)
        for replica in replicas { await tally.wait(for: 200, from: replica.name) }
        await load.stop()
        #expect(tally.failures == [])
        #expect(Set(tally.served.keys) == ["a", "b"])
    }

    // With a delay, haproxy and Envoy learn it from `/readyz` first; without one, from refused connections, as nginx
    // always does.
    @Test(arguments: LoadBalancer.Kind.here.flatMap { kind in Wire.allCases.map { (kind, $0) } }, [0, 3])
    func `a service that is stopped under load loses no call`(
        through: (kind: LoadBalancer.Kind, wire: Wire), drainDelay: Int
    ) async throws {
        let replicas = [
            try await Replica("a", drainDelay: drainDelay), try await Replica("b", drainDelay: drainDelay),
        ]
        let balancer = try await LoadBalancer(through.kind, before: replicas)
        defer { withExtendedLifetime((replicas, balancer)) {} }
        let tally = Tally()
        let load = try Self.load(through.wire, through: balancer, connections: 64, counting: tally)
        for replica in replicas { await tally.wait(for: 200, from: replica.name) }
        #expect(await replicas[0].service.stop(SIGTERM) == 0)
        await tally.wait(for: 1_000, from: "b")
        await load.stop()
        #expect(tally.failures == [])
        #expect(Set(tally.served.keys) == ["a", "b"])
    }
}
