// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import NIOPosix
import Testing

@testable import RedisClient

@Suite struct RedisTopologyTests {
    @Test func `redirections to ever more servers are followed up to a limit`() async throws {
        let configuration = try RedisConfiguration(url: "redis://127.0.0.1:1")
        let topology = RedisTopology(
            configuration, group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"))
        var found = 0
        for port in 1...(2 * RedisLimits.maximumServers + 10) {
            let address = RedisAddress(host: "127.0.0.1", port: port)
            do throws(RedisError) {
                _ = try topology.server(for: .redirected(address, isAsking: true))
                found += 1
            } catch {
                #expect(error.code == .unreachable)
            }
        }
        #expect(found == 2 * RedisLimits.maximumServers)
        await topology.close()
    }
}
