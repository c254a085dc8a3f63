// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

/// A port of this machine at which nobody listens. It is none that the system gives away, or a server of another test
/// could get it.
public func unusedPort() async throws -> Int {
    for _ in 0..<100 {
        let port = Int.random(in: 20_000..<32_000)
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        guard let channel = try? await bootstrap.bind(host: "127.0.0.1", port: port).get() else { continue }
        try await channel.close()
        return port
    }
    throw NoUnusedPort()
}

private struct NoUnusedPort: Error {}
