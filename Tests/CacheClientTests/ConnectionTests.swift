// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import TestSupport
import Testing

/// What becomes of calls when the connection or the peer is not what it should be.
@Suite(.timeLimit(.minutes(1)))
struct ConnectionTests {
    @Test func `a server that falls silent is replaced`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let patient = client.ping(timeout: .seconds(20))
            let silent = try await server.welcomePeer()
            _ = try await silent.call()
            async let late = failure { try await client.ping(timeout: .milliseconds(500)) }
            _ = try await silent.call()
            #expect(await late?.code == .deadlineExceeded)
            let peer = try await server.welcomePeer()
            peer.answer(try await peer.call())
            _ = try await patient
            await client.close()
        }
    }

    @Test func `calls in flight on a lost connection are made again on the next`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let ping = client.ping()
            let first = try await server.welcomePeer()
            let lost = try await first.call()
            first.close()
            let second = try await server.welcomePeer()
            let repeated = try await second.call()
            second.answer(repeated, version: "second")
            #expect(try await ping.serverVersion == "second")
            #expect(repeated.request == lost.request)
            await client.close()
        }
    }

    @Test func `a call whose connection is lost twice fails`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let error = failure { try await client.ping() }
            for _ in 0..<2 {
                let peer = try await server.welcomePeer()
                _ = try await peer.call()
                peer.close()
            }
            #expect(await error?.code == .unavailable)
            #expect(await error?.origin == .connection)
            await client.close()
        }
    }

    @Test func `after a go-away new calls use a new connection and the old ones finish`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let slow = client.ping()
            let old = try await server.welcomePeer()
            let call = try await old.call()
            async let crossing = client.ping()
            let crossed = try await old.call()
            old.send(
                .goAway(reason: "restart"),
                .reply(Reply(id: crossed.id, result: .failure(CacheError(.unavailable, "about to stop")))))
            let new = try await server.welcomePeer()
            new.answer(try await new.call(), version: "new")
            old.answer(call, version: "old")
            #expect(try await slow.serverVersion == "old")
            #expect(try await crossing.serverVersion == "new")
            // The old connection ends by itself once it has nothing to do.
            #expect(await old.next() == nil)
            await client.close()
        }
    }

    @Test func `no call fails while the server is replaced by another that is not there yet`() async throws {
        // A port that no other test's server gets while it is free.
        try await ScriptedServer.withServer(port: try await unusedPort()) { server in
            var configuration = ClientConfiguration(server)
            // What was given back was never begun, and what waits was never sent.
            configuration.retriesLostCalls = false
            configuration.handoverPatience = .seconds(20)
            configuration.maximumBackoff = .milliseconds(5)
            let client = CacheClient(configuration)
            async let slow = client.ping()
            let old = try await server.welcomePeer()
            let call = try await old.call()
            async let crossing = client.ping()
            let crossed = try await old.call()
            try await server.stopListening()
            old.send(
                .goAway(reason: "restart"),
                .reply(Reply(id: crossed.id, result: .failure(CacheError(.unavailable, "about to stop")))))
            old.answer(call, version: "old")
            #expect(try await slow.serverVersion == "old")
            #expect(await old.next() == nil)
            // This one finds nobody, and waits.
            async let late = client.ping()
            try await ScriptedServer.withServer(port: server.address.port) { successor in
                let new = try await successor.welcomePeer()
                for _ in 0..<2 { new.answer(try await new.call(), version: "new") }
            }
            #expect(try await crossing.serverVersion == "new")
            #expect(try await late.serverVersion == "new")
            await client.close()
        }
    }

    @Test func `a server that says at the hello that it stops is left for the next one`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let ping = client.ping()
            let old = try await server.nextPeer()
            _ = try await old.hello()
            old.send(.goAway(reason: "restart"))
            let new = try await server.welcomePeer()
            new.answer(try await new.call(), version: "new")
            #expect(try await ping.serverVersion == "new")
            await client.close()
        }
    }

    @Test(
        arguments: [
            [1, 0, 0, 0, 0], [0, 0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0, 2, 0x0a, 0x7f], [0, 0, 0, 0, 0],
            // A reply to nothing; a reply whose lookup names no outcome.
            [0, 0, 0, 0, 6, 0x12, 4, 8, 77, 0x62, 0], [0, 0, 0, 0, 6, 0x12, 4, 8, 1, 0x42, 0],
        ] as [[UInt8]])
    func `bytes that are no message end the connection with an error`(bytes: [UInt8]) async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let error = failure { try await client.ping() }
            let peer = try await server.welcomePeer()
            _ = try await peer.call()
            peer.send(bytes: bytes)
            #expect(await error?.code == .internal)
            #expect(await error?.origin == .connection)
            #expect(await peer.next() == nil)
            await client.close()
        }
    }

    @Test func `a peer that speaks another protocol is an error that says so`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let error = failure { try await client.ping() }
            let peer = try await server.nextPeer()
            peer.send(bytes: Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
            #expect(await error?.code == .internal)
            await client.close()
        }
    }

    @Test func `a server that never answers the hello is an error in time`() async throws {
        try await ScriptedServer.withServer { server in
            var configuration = ClientConfiguration(server)
            configuration.connectTimeout = .milliseconds(500)
            let client = CacheClient(configuration)
            let error = await failure { try await client.ping() }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("hello") == true)
            let peer = try await server.nextPeer()
            _ = try await peer.hello()
            #expect(await peer.next() == nil)
            await client.close()
        }
    }

    @Test func `a server that refuses the hello is an error with its reason`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let error = failure { try await client.ping() }
            let peer = try await server.nextPeer()
            peer.send(.reply(Reply(id: 0, result: .failure(CacheError(.unauthenticated, "who are you")))))
            #expect(await error == CacheClientError(.unauthenticated, "who are you", origin: .server))
            await client.close()
        }
    }

    @Test func `without a server a call fails at once and names the address`() async throws {
        let address = try await ScriptedServer.addressOfNobody()
        let client = CacheClient(ClientConfiguration(address))
        let error = await failure { try await client.ping() }
        #expect(error?.code == .unavailable)
        #expect(error?.message == "cannot connect to \(address): Connection refused")
        await client.close()
    }

    @Test func `a client that waits for its server gets its answer when it is there`() async throws {
        let address = try await ScriptedServer.addressOfNobody()
        var configuration = ClientConfiguration(address)
        configuration.waitsForConnection = true
        configuration.maximumBackoff = .milliseconds(5)
        let client = CacheClient(configuration)
        async let ping = client.ping(timeout: .seconds(20))
        // Time is up for this one while nobody listens.
        let impatient = await failure { try await client.ping(timeout: .milliseconds(20)) }
        #expect(impatient?.code == .unavailable || impatient?.code == .deadlineExceeded)
        try await ScriptedServer.withServer(port: address.port) { server in
            let peer = try await server.welcomePeer()
            peer.answer(try await peer.call())
        }
        _ = try await ping
        await client.close()
    }
}
