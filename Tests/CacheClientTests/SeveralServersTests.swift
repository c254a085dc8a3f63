// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Testing

@testable import CacheClient

/// The client against several servers over real sockets.
@Suite(.timeLimit(.minutes(1)))
struct SeveralServersTests {
    @Test func `calls are spread over the servers`() async throws {
        try await ScriptedReplica.withTwo { one, two, test in
            // A server that seemed slow because the machine stood still gets none for a while: then once more.
            for attempt in 1...5 {
                for replica in [one, two] { replica.set(.answers) }
                let start = ContinuousClock.now
                let client = CacheClient(test.configuration)
                try await test.call(client)
                for replica in [one, two] { replica.set(.holds) }
                async let answers = Self.pings(client, 150)
                var held: [ScriptedReplica.Held] = []
                while held.count < 150 { held.append(try await test.nextHeld()) }
                let isSlow = ContinuousClock.now - start > .seconds(1)
                for call in held { call.answer() }
                let names = try await Set(answers)
                await client.close()
                if names.count < 2, isSlow, attempt < 5 { continue }
                #expect(names == ["one", "two"])
                #expect(held.contains { $0.replica === one } && held.contains { $0.replica === two })
                break
            }
        }
    }

    @Test func `a server that is not there costs no call, and is used when it is`() async throws {
        let dead = try await ScriptedServer.addressOfNobody()
        try await ScriptedReplica.withTwo { one, _, test in
            var configuration = test.configuration
            configuration.addresses = [dead, one.address]
            let client = CacheClient(configuration)
            try await Self.expectOnly("one", client, 50)
            try await ScriptedServer.withServer(port: dead.port) { back in
                async let called: Void = test.call(client, until: ["back"])
                let peer = try await back.welcomePeer()
                peer.answer(try await peer.call(), version: "back")
                try await called
            }
            await client.close()
        }
    }

    @Test func `when none is there a call fails at once and says why`() async throws {
        let one = try await ScriptedServer.addressOfNobody()
        let two = try await ScriptedServer.addressOfNobody()
        let client = CacheClient(ClientConfiguration([one, two]))
        let error = await failure { try await client.ping() }
        #expect(error?.code == .unavailable)
        #expect(error?.message.hasSuffix("Connection refused") == true)
        await client.close()
    }

    @Test func `a server that takes connections and says nothing costs no call`() async throws {
        try await ScriptedReplica.withTwo(.isSilent) { _, _, test in
            let client = CacheClient(test.configuration)
            try await Self.expectOnly("two", client, 50)
            await client.close()
        }
    }

    @Test func `a call whose connection is lost is made again by the other server`() async throws {
        try await ScriptedReplica.withTwo { one, two, test in
            let client = CacheClient(test.configuration)
            try await test.call(client)
            one.set(.holds)
            two.set(.holds)
            async let ping = client.ping()
            let lost = try await test.nextHeld()
            lost.peer.close()
            let again = try await test.nextHeld()
            again.answer()
            #expect(again.replica !== lost.replica)
            #expect(again.call.request == lost.call.request)
            #expect(try await ping.serverVersion == again.replica.name)
            await client.close()
        }
    }

    @Test func `an answer that is an error is not asked of the other server`() async throws {
        try await ScriptedReplica.withTwo { one, two, test in
            let client = CacheClient(test.configuration)
            try await test.call(client)
            let count = one.answeredCalls + two.answeredCalls
            one.set(.fails(CacheError(.unavailable, "no store")))
            two.set(.fails(CacheError(.unavailable, "no store")))
            let error = await failure { try await client.ping() }
            #expect(error == CacheClientError(.unavailable, "no store", origin: .server))
            #expect(one.answeredCalls + two.answeredCalls == count)
            await client.close()
        }
    }

    @Test func `a server that keeps failing gets few calls until it is well`() async throws {
        try await ScriptedReplica.withTwo { one, two, test in
            var configuration = test.configuration
            configuration.minimumBackoff = .milliseconds(200)
            configuration.maximumBackoff = .milliseconds(200)
            let client = CacheClient(configuration)
            try await test.call(client)
            one.set(.fails(CacheError(.unavailable, "no store")))
            // One call at a time: any server that is well takes it.
            var failures = 0
            let start = ContinuousClock.now
            for _ in 0..<500 {
                let error = await failure { try await client.ping() }
                failures += error == nil ? 0 : 1
            }
            // A few until it is left alone, then one in 100 ms at most, however long the calls take. Otherwise half of them.
            #expect(Double(failures) < 20 + (ContinuousClock.now - start) / .milliseconds(100))
            one.set(.answers)
            try await test.call(client, until: ["one"])
            await client.close()
        }
    }

    @Test func `after a go-away new calls go to the other server and those in flight finish`() async throws {
        try await ScriptedReplica.withTwo { one, two, test in
            var configuration = test.configuration
            // What was given back was never begun.
            configuration.retriesLostCalls = false
            let client = CacheClient(configuration)
            try await test.call(client)
            one.set(.holds)
            two.set(.holds)
            async let slow = client.ping()
            let first = try await test.nextHeld()
            let other = first.replica === one ? two : one
            try await withThrowingTaskGroup(of: String.self) { group in
                var crossing: ScriptedReplica.Held?
                while crossing == nil {
                    group.addTask { try await client.ping().serverVersion }
                    let held = try await test.nextHeld()
                    if held.replica === other { held.answer() } else { crossing = held }
                }
                other.set(.answers)
                // It takes no new connection.
                first.replica.set(.isSilent)
                let refused = Result<ServiceResponse, CacheError>.failure(CacheError(.unavailable, "about to stop"))
                let id = try #require(crossing?.call.id)
                first.peer.send(.goAway(reason: "restart"), .reply(Reply(id: id, result: refused)))
                for try await name in group { #expect(name == other.name) }
            }
            try await Self.expectOnly(other.name, client, 20)
            first.answer()
            #expect(try await slow.serverVersion == first.replica.name)
            await client.close()
        }
    }

    private static func expectOnly(_ name: String, _ client: CacheClient, _ count: Int) async throws {
        for _ in 0..<count {
            let version = try await client.ping().serverVersion
            #expect(version == name)
        }
    }

    private static func pings(_ client: CacheClient, _ count: Int) async throws -> [String] {
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<count { group.addTask { try await client.ping().serverVersion } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    @Test func `repetitions end with the budget`() async throws {
        try await ScriptedReplica.withTwo { one, two, test in
            var configuration = test.configuration
            configuration.retryBudget = RetryBudget(share: 0, initial: 1)
            let client = CacheClient(configuration)
            try await test.call(client)
            one.set(.holds)
            two.set(.holds)
            async let results = withTaskGroup(of: Bool.self) { group in
                for _ in 0..<10 { group.addTask { await failure { try await client.ping() } == nil } }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            var held: [ScriptedReplica.Held] = []
            while held.count < 10 { held.append(try await test.nextHeld()) }
            let ones = held.filter { $0.replica === one }
            let twos = held.filter { $0.replica === two }
            let (lost, kept) = ones.count > twos.count ? (ones, twos) : (twos, ones)
            lost[0].peer.close()
            let again = try await test.nextHeld()
            again.answer()
            for call in kept { call.answer() }
            #expect(await results == kept.count + 1)
            await client.close()
        }
    }

    @Test func `of a hedged call the first answer counts and the other server is told to stop`() async throws {
        try await ScriptedReplica.withTwo { one, two, test in
            var configuration = test.configuration
            configuration.hedgeDelay = .milliseconds(30)
            let client = CacheClient(configuration)
            try await test.call(client)
            one.set(.holds)
            two.set(.holds)
            async let ping = client.ping()
            let (first, second) = try await test.nextHedged()
            #expect(second.replica !== first.replica)
            second.answer()
            #expect(try await ping.serverVersion == second.replica.name)
            #expect(await first.replica.isTold(toStop: first.call.id))
            // It comes too late, and hurts nobody.
            first.answer()
            one.set(.answers)
            two.set(.answers)
            try await test.call(client)
            await client.close()
        }
    }

    @Test func `cancelling the task tells both servers of a hedged call`() async throws {
        try await ScriptedReplica.withTwo { one, two, test in
            var configuration = test.configuration
            configuration.hedgeDelay = .milliseconds(30)
            let client = CacheClient(configuration)
            try await test.call(client)
            one.set(.holds)
            two.set(.holds)
            let task = Task { await failure { try await client.ping() } }
            let (first, second) = try await test.nextHedged()
            #expect(second.replica !== first.replica)
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            #expect(await first.replica.isTold(toStop: first.call.id))
            #expect(await second.replica.isTold(toStop: second.call.id))
            await client.close()
        }
    }

    @Test func `closing lets calls in flight finish with all servers`() async throws {
        try await ScriptedReplica.withTwo { one, two, test in
            let client = CacheClient(test.configuration)
            try await test.call(client)
            one.set(.holds)
            two.set(.holds)
            async let answers = Self.pings(client, 6)
            var held: [ScriptedReplica.Held] = []
            while held.count < 6 { held.append(try await test.nextHeld()) }
            async let closed: Void = client.close()
            for call in held { call.answer() }
            #expect(try await answers.count == 6)
            await closed
            #expect(await failure { try await client.ping() }?.code == .unavailable)
        }
    }

    @Test(arguments: [0, 65])
    func `a client of no server, or of too many, says so`(count: Int) async {
        let client = CacheClient(ClientConfiguration(Array(repeating: ServerAddress.local, count: count)))
        let error = await failure { try await client.ping() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.field == "server")
        await client.close()
    }

    @Test func `only what reads may be hedged`() throws {
        let prompt = Prompt.text(try CanonicalPrompt("q"))
        let lookup = ServiceRequest.lookup(LookupRequest(cache: "c", prompt: prompt))
        let store = ServiceRequest.store(StoreRequest(cache: "c", prompt: prompt, response: [1]))
        let invalidate = ServiceRequest.invalidate(InvalidateRequest(cache: "c", selector: .wholeCache))
        #expect([lookup, .ping, .stats(cache: nil)].allSatisfy { $0.isHedgeable && $0.isRepeatable })
        #expect([store, invalidate].allSatisfy { !$0.isHedgeable && $0.isRepeatable })
    }
}
