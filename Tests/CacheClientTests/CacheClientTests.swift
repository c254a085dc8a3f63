// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import Testing

/// The client against a server that does what the test says, over real sockets.
@Suite(.timeLimit(.minutes(1)))
struct CacheClientTests {
    @Test func `answers that come out of order reach who asked`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let versions = withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<50 { group.addTask { try await client.ping().serverVersion } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            let peer = try await server.welcomePeer()
            var calls: [Call] = []
            for _ in 0..<50 { calls.append(try await peer.call()) }
            for call in calls.shuffled() { peer.answer(call, version: "\(call.id)") }
            #expect(try await versions == Set(calls.map { "\($0.id)" }))
            #expect(Set(calls.map { $0.id }).count == 50)
            await client.close()
        }
    }

    @Test func `a hello says who calls, and a call how long it may take`() async throws {
        try await ScriptedServer.withServer { server in
            var configuration = ClientConfiguration(server)
            configuration.clientName = "tester"
            let client = CacheClient(configuration)
            async let ping = client.ping(timeout: .seconds(15))
            let peer = try await server.nextPeer()
            let hello = try await peer.hello()
            peer.send(.welcome(Welcome(version: 1, serverVersion: "1", embeddingDimensions: 4)))
            let call = try await peer.call()
            peer.answer(call)
            _ = try await ping
            #expect(hello == Hello(minimumVersion: 1, maximumVersion: 1, clientName: "tester"))
            let deadline = try #require(call.deadline)
            #expect(deadline > .zero && deadline <= .seconds(15))
            await client.close()
            #expect(await peer.next() == nil)
        }
    }

    @Test func `no more calls are in flight than the server allows, and the rest get their turn in order`() async throws
    {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let all: Void = withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { _ = try await client.ping() } }
                try await group.waitForAll()
            }
            let peer = try await server.welcomePeer(maximumCalls: 4)
            var open: [Call] = []
            var ids: [UInt64] = []
            while ids.count < 20 {
                while open.count < 4, ids.count + open.count < 20 { open.append(try await peer.call()) }
                // A fifth call would be read here instead of the one that takes the place of the answered one.
                let answered = open.removeFirst()
                ids.append(answered.id)
                peer.answer(answered)
            }
            try await all
            #expect(Set(ids).count == 20)
            await client.close()
        }
    }

    @Test func `a call that the server never answers ends by its deadline, and the server is told`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let first = client.ping()
            let peer = try await server.welcomePeer()
            peer.answer(try await peer.call())
            _ = try await first
            async let error = failure { try await client.ping(timeout: .milliseconds(500)) }
            let call = try await peer.call()
            #expect(try await peer.cancelledID() == call.id)
            #expect(await error?.code == .deadlineExceeded)
            // Its answer may still come; nobody is hurt.
            peer.answer(call)
            async let next = client.ping()
            peer.answer(try await peer.call())
            _ = try await next
            await client.close()
        }
    }

    @Test func `cancelling the task ends the call and tells the server`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            let task = Task { await failure { try await client.ping() } }
            let peer = try await server.welcomePeer(maximumCalls: 1)
            let call = try await peer.call()
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            #expect(try await peer.cancelledID() == call.id)
            peer.send(.reply(Reply(id: call.id, result: .failure(CacheError(.cancelled, "given up")))))
            async let next = client.ping()
            peer.answer(try await peer.call())
            _ = try await next
            await client.close()
        }
    }

    @Test func `a cancelled task makes no call`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await failure { try await client.ping() }
            }
            #expect(await task.value?.code == .cancelled)
            await client.close()
        }
    }

    @Test func `closing lets calls in flight finish and refuses the rest`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let first = client.ping()
            let peer = try await server.welcomePeer(maximumCalls: 1)
            let call = try await peer.call()
            async let waiting = failure { try await client.ping() }
            async let closed: Void = client.close()
            #expect(await waiting?.code == .unavailable)
            peer.answer(call)
            _ = try await first
            await closed
            #expect(await failure { try await client.ping() }?.code == .unavailable)
            await client.close()
            #expect(await peer.next() == nil)
        }
    }

    @Test func `a client that is let go closes its connection`() async throws {
        try await ScriptedServer.withServer { server in
            let peer = try await {
                let client = CacheClient(ClientConfiguration(server))
                async let ping = client.ping()
                let peer = try await server.welcomePeer()
                peer.answer(try await peer.call())
                _ = try await ping
                return peer
            }()
            #expect(await peer.next() == nil)
        }
    }
}
