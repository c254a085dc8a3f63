// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import Logging
import NIOCore
import TestSupport
import Testing

/// What those who have not said hello may take from those who have, or would.
@Suite(.timeLimit(.minutes(1))) struct LimitsOfAddressesTests {
    @Test func `thousands of strangers from one address leave others their part`() async throws {
        var limits = ConnectionLimits.patient
        limits.maximumUnauthenticatedConnections = 150
        limits.maximumUnauthenticatedConnectionsPerAddress = 100
        limits.handshakeDeadline = .seconds(600)
        let log = RecordedLog(level: .info)
        try await TestServer.run(limits: limits, log: log) { server in
            let (there, kept) = (Mailbox<Void>(), Mailbox<WireClient>())
            for _ in 0..<40 {
                for _ in 0..<50 {
                    let stranger = try await server.connect()
                    // Awaited by nobody: ends with its connection, at the latest with the server.
                    Task {
                        await stranger.closed()
                        there.append(())
                    }
                    kept.append(stranger)
                }
                // Whoever comes from elsewhere is served.
                let client = try await server.open(from: "127.0.0.2")
                #expect(try await client.ask(.ping) == .success(serverVersion))
                await client.close()
            }
            for _ in 0..<1900 { _ = await there.next() }
            let other = try await server.open(from: "127.0.0.2")
            #expect(try await server.connections(toldTo: other) == 101)
            // Not once for each of them.
            let lines = log.lines(with: "connections are refused limit=strangers_of_address")
            #expect(!lines.isEmpty && lines.count < 10)
        }
    }

    @Test func `a hello, and an end, make room for another one of the address`() async throws {
        var limits = ConnectionLimits.patient
        limits.maximumUnauthenticatedConnectionsPerAddress = 1
        try await TestServer.run(limits: limits) { server in
            let first = try await server.open()
            let second = try await server.connect()
            while try await server.connections(toldTo: first) < 2 {}
            #expect(try await server.connect().next() == nil)
            try await second.send(Keyed.hello(.none))
            guard case .welcome = try await second.next() else {
                Issue.record("not welcome")
                return
            }
            let third = try await server.connect()
            while try await server.connections(toldTo: first) < 3 {}
            await third.close()
            while try await server.connections(toldTo: first) > 2 {}
            #expect(try await server.open().ask(.ping) == .success(serverVersion))
        }
    }
}

/// Peers that are half gone, or altogether.
@Suite(.timeLimit(.minutes(1))) struct LimitsOfVanishedPeersTests {
    @Test(arguments: [[], [0, 0, 0, 0, 9, 0x0a], ProtobufBytes.hello().frame] as [[UInt8]])
    func `a peer that ends its half holds nothing, whatever it has begun`(bytes: [UInt8]) async throws {
        try await TestServer.run { server in
            let other = try await server.open()
            let peer = try await server.connect()
            if !bytes.isEmpty { try await peer.send(bytes: bytes) }
            try await peer.closeOutput()
            await peer.closed()
            while try await server.connections(toldTo: other) > 1 {}
        }
    }

    @Test func `a peer that ends its half with calls in flight gives them up`() async throws {
        let embedder = ControlledEmbedder()
        try await TestServer.run(embedder: embedder) { server in
            let other = try await server.open()
            let peer = try await server.open()
            try await peer.send(.lookup(lookup("a question")), id: 1)
            let held = await embedder.nextHeld()
            try await peer.closeOutput()
            await peer.closed()
            while try await server.connections(toldTo: other) > 1 {}
            held.succeed()
            #expect(try await other.ask(.ping) == .success(serverVersion))
        }
    }

    #if os(Linux)
    @Test func `the system asks a silent peer within a minute whether it is still there`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            let (here, there) = (try #require(server.address.port), try #require(client.address?.port))
            // Until then it waits for the acknowledgement of the welcome.
            while try SocketTimer.of(local: here, remote: there)?.kind != .keepAlive { try Task.checkCancellation() }
            let timer = try #require(try SocketTimer.of(local: here, remote: there))
            #expect(timer.kind == .keepAlive && timer.seconds <= 60)
        }
    }
    #endif
}
