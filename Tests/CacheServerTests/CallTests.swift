// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct CallTests {
    /// Holds every text that says so.
    private static func embedder() -> ControlledEmbedder { ControlledEmbedder { $0.hasPrefix("slow") } }

    @Test func `a slow embedding does not delay another call's answer`() async throws {
        let embedder = Self.embedder()
        try await TestServer.run(embedder: embedder) { server in
            let client = try await server.open()
            try await client.store(store("quick question", "quick answer"))
            // Into L1, so that the next one takes the fast lane.
            #expect(try await client.lookup(lookup("quick question")).hit?.tier == .store)
            try await client.send(.lookup(lookup("slow question")), id: 1)
            let held = await embedder.nextHeld()
            #expect(try await client.lookup(lookup("quick question")).hit?.tier == .l1)
            #expect(try await client.ask(.ping) == .success(serverVersion))
            held.succeed()
            let reply = try await client.nextReply()
            #expect(reply.id == 1 && reply.lookup?.missReason == .belowThreshold)
        }
    }

    @Test func `a call with the id of one in flight is refused, whichever lane it would take`() async throws {
        let embedder = Self.embedder()
        try await TestServer.run(embedder: embedder) { server in
            let client = try await server.open()
            try await client.store(store("quick question", "quick answer"))
            #expect(try await client.lookup(lookup("quick question")).response == "quick answer")
            #expect(try await client.lookup(lookup("quick question")).hit?.tier == .l1)
            try await client.send(.lookup(lookup("slow question")), id: 9)
            let held = await embedder.nextHeld()
            for request in [ServiceRequest.ping, .lookup(lookup("quick question"))] {
                try await client.send(request, id: 9)
                let refusal = try await client.nextReply()
                #expect(refusal.id == 9)
                #expect(refusal.error == .invalidArgument("id", "is that of a call in flight"))
            }
            held.succeed()
            let reply = try await client.nextReply()
            #expect(reply.id == 9 && reply.lookup?.missReason == .belowThreshold)
            #expect(try await client.ask(.ping) == .success(serverVersion))
        }
    }

    @Test func `a call that is given up is answered at once, and its id is free`() async throws {
        let embedder = Self.embedder()
        try await TestServer.run(embedder: embedder) { server in
            let client = try await server.open()
            try await client.send(.lookup(lookup("slow question")), id: 4)
            let held = await embedder.nextHeld()
            // In one packet: the first call's work ends after the second has begun.
            try await client.send(.cancel(id: 4), .call(Call(id: 4, request: .success(.lookup(lookup("slow too"))))))
            let cancelled = try await client.nextReply()
            #expect(cancelled.id == 4 && cancelled.error == CacheError(.cancelled, "the call was given up"))
            let second = await embedder.nextHeld()
            held.succeed()
            #expect(try await client.ask(.ping) == .success(serverVersion))
            second.succeed()
            let reply = try await client.nextReply()
            #expect(reply.id == 4 && reply.lookup?.missReason == .noEntry)
        }
    }

    @Test func `giving up a call that is not there does nothing`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            try await client.send(.cancel(id: 77), .cancel(id: 0))
            #expect(try await client.ask(.ping) == .success(serverVersion))
        }
    }

    @Test func `a lookup whose embedding never comes is a degraded miss by its deadline`() async throws {
        let embedder = Self.embedder()
        try await TestServer.run(embedder: embedder) { server in
            let client = try await server.open()
            let started = ContinuousClock.now
            let outcome = try await client.lookup(lookup("slow question"), deadline: .milliseconds(60))
            #expect(outcome.missReason == .degraded(.deadlineExceeded))
            #expect(ContinuousClock.now - started >= .milliseconds(60))
        }
    }

    @Test func `a lookup whose store never answers is a degraded miss by its deadline`() async throws {
        let memory = MemoryVectorStore()
        let gate = Mailbox<Void>()
        memory.hook { operation, phase in
            if operation == .entry, phase == .before { _ = await gate.next() }
            return nil
        }
        try await TestServer.run(store: memory) { server in
            let client = try await server.open()
            let outcome = try await client.lookup(lookup("any question"), deadline: .milliseconds(30))
            #expect(outcome.missReason == .degraded(.deadlineExceeded))
            gate.close()
        }
    }

    @Test func `a store whose embedding never comes is refused by its deadline`() async throws {
        let embedder = Self.embedder()
        try await TestServer.run(embedder: embedder) { server in
            let client = try await server.open()
            try await client.send(.store(store("slow question", "answer")), id: 2, deadline: .milliseconds(30))
            let reply = try await client.nextReply()
            #expect(reply.id == 2 && reply.error?.code == .deadlineExceeded)
            #expect(server.store.count(.put) == 0)
        }
    }

    @Test func `the late result of a call does not answer the next one with its id`() async throws {
        let memory = MemoryVectorStore()
        let gate = Mailbox<Void>()
        let arrivals = Mailbox<Void>()
        // Work that takes no notice of being given up, as a thread in the middle of a read would not.
        memory.hook { operation, phase in
            if operation == .entry, phase == .after {
                arrivals.append(())
                _ = await gate.next()
            }
            return nil
        }
        try await TestServer.run(store: memory) { server in
            let client = try await server.open()
            try await client.store(store("first question", "first answer"))
            try await client.store(store("second question", "second answer"))
            try await client.send(.lookup(lookup("first question")), id: 3, deadline: .milliseconds(30))
            _ = await arrivals.next()
            let late = try await client.nextReply()
            #expect(late.id == 3 && late.lookup?.missReason == .degraded(.deadlineExceeded))
            try await client.send(.lookup(lookup("second question")), id: 3)
            _ = await arrivals.next()
            gate.append(())
            gate.append(())
            let reply = try await client.nextReply()
            #expect(reply.id == 3 && reply.lookup?.response == "second answer")
            gate.close()
        }
    }

    @Test func `trouble of the embedder and the store is a degraded miss, not an error`() async throws {
        let embedder = ControlledEmbedder()
        let memory = MemoryVectorStore()
        try await TestServer.run(embedder: embedder, store: memory) { server in
            let client = try await server.open()
            try await client.send(.lookup(lookup("a question")), id: 1)
            await embedder.nextHeld().fail()
            #expect(try await client.nextReply().lookup?.missReason == .degraded(.embedderFailed))
            try await client.send(.store(store("a question", "an answer")), id: 2)
            await embedder.nextHeld().fail()
            #expect(try await client.nextReply().error?.code == .unavailable)
            memory.hook { _, _ in VectorStoreError(.unavailable, "gone") }
            #expect(try await client.lookup(lookup("a question")).missReason == .degraded(.storeUnavailable))
        }
    }

    @Test func `a cache that does not fail open says so`() async throws {
        let embedder = ControlledEmbedder()
        try await TestServer.run(embedder: embedder, policy: CachePolicy(failsOpen: false)) { server in
            let client = try await server.open()
            try await client.send(.lookup(lookup("a question")), id: 1)
            await embedder.nextHeld().fail()
            #expect(try await client.nextReply().error?.code == .unavailable)
            try await client.send(.lookup(lookup("a question")), id: 2, deadline: .milliseconds(20))
            #expect(try await client.nextReply().error?.code == .deadlineExceeded)
        }
    }

    @Test func `a full connection is not read, and is again when a call has ended`() async throws {
        let embedder = Self.embedder()
        var limits = ConnectionLimits.patient
        limits.maximumCallsInFlight = 2
        try await TestServer.run(embedder: embedder, limits: limits) { server in
            let client = try await server.open()
            // One packet: had the third been looked at, its answer would come first.
            try await client.send(
                .call(Call(id: 1, request: .success(.lookup(lookup("slow one"))))),
                .call(Call(id: 2, request: .success(.lookup(lookup("slow two"))))),
                .call(Call(id: 3, request: .success(.ping))), .call(Call(id: 4, request: .success(.ping))))
            let first = await embedder.nextHeld()
            let second = await embedder.nextHeld()
            // Others go on.
            #expect(try await server.open().ask(.ping) == .success(serverVersion))
            // More than what is in the reader already: the socket itself must be read again too.
            try await client.send(.call(Call(id: 5, request: .success(.ping))))
            first.succeed()
            var ids: [UInt64] = []
            for _ in 0..<4 { ids.append(try await client.nextReply().id) }
            #expect(ids == [1, 3, 4, 5])
            second.succeed()
            #expect(try await client.nextReply().id == 2)
        }
    }

    @Test func `a closed connection's calls are given up`() async throws {
        let embedder = ControlledEmbedder(concurrency: 1)
        try await TestServer.run(embedder: embedder) { server in
            let leaver = try await server.open()
            try await leaver.send(.lookup(lookup("first")), id: 1)
            let first = await embedder.nextHeld()
            try await leaver.send(.lookup(lookup("second")), id: 2)
            // The second waits in the pool's queue, which the statistics do not show: a call behind it has passed it.
            #expect(try await leaver.ask(.ping) == .success(serverVersion))
            await leaver.close()
            let client = try await server.open()
            while true {
                guard case .success(.stats(let statistics)) = try await client.ask(.stats(cache: nil)) else { break }
                if statistics.connections == 1 { break }
            }
            try await client.send(.lookup(lookup("third")), id: 3)
            #expect(try await client.ask(.ping) == .success(serverVersion))
            first.succeed()
            // Nobody waits for the second text any more: it is not embedded.
            let next = await embedder.nextHeld()
            #expect(next.texts == ["third"])
            next.succeed()
            #expect(try await client.nextReply().id == 3)
        }
    }
}
