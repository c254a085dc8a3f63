// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import Testing

/// Leases, and answers that are made under them.
@Suite(.timeLimit(.minutes(1)))
struct LeaseTests {
    private static let id = EntryID(high: 1, low: 2)
    private static let token = LeaseToken(for: id)

    private static func miss(_ fill: FillStatus?) -> ServiceResponse {
        .lookup(.miss(LookupMiss(reason: .noEntry, similarityThreshold: 0.5, fill: fill)))
    }

    private static func hit(_ text: String, _ fill: FillStatus?, at now: Int64 = 500) -> ServiceResponse {
        let entry = CacheEntry(
            id: self.id, prompt: nil, response: Array(text.utf8), contentType: "text/plain", attributes: [],
            usage: nil, createdAt: Timestamp(milliseconds: 0), freshUntil: Timestamp(milliseconds: 1000),
            expiresAt: Timestamp(milliseconds: 9000))
        return .lookup(
            .hit(
                LookupHit(
                    kind: .exact, tier: .store, matches: [LookupMatch(entry: entry, similarity: 1)],
                    at: Timestamp(milliseconds: now), fill: fill)))
    }

    private static let stored = ServiceResponse.store(
        StoreOutcome(id: id, expiresAt: Timestamp(milliseconds: 1), isReplacement: false))

    /// Makes a call against a server that gives these answers, one to each request.
    private func exchange<Value: Sendable>(
        _ responses: [Result<ServiceResponse, CacheError>],
        _ call: @Sendable @escaping (CacheClient) async throws -> Value
    ) async throws -> (requests: [ServiceRequest], value: Result<Value, any Error>) {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let value: Result<Value, any Error> = {
                do { return .success(try await call(client)) } catch { return .failure(error) }
            }()
            let peer = try await server.welcomePeer()
            var requests: [ServiceRequest] = []
            for response in responses {
                let received = try await peer.call()
                requests.append(try received.request.get())
                peer.send(.reply(Reply(id: received.id, result: response)))
            }
            let result = (requests, await value)
            await client.close()
            return result
        }
    }

    @Test func `a lookup asks for a lease and is told of it`() async throws {
        let fill = FillStatus.lease(Self.token, remaining: .seconds(20))
        let (requests, answer) = try await self.exchange([.success(Self.miss(fill))]) { client in
            try await client.lookup(
                "why?", in: "c", lease: .acquire(for: .seconds(20)), waits: .atMost(.milliseconds(1500)))
        }
        let expected = LookupRequest(
            cache: "c", prompt: .text(try CanonicalPrompt("why?")), lease: .seconds(20),
            wait: .atMost(.milliseconds(1500)))
        #expect(requests == [.lookup(expected)])
        guard case .miss(let miss) = try answer.get() else {
            Issue.record("no miss")
            return
        }
        #expect(miss.lease?.bytes == Self.token.bytes && miss.lease?.remaining == .seconds(20))
        #expect(miss.lease?.cache == "c" && miss.fillUnderWay == nil)
        #expect(!"\(try #require(miss.lease))".contains("\(Self.token.bytes)"))
    }

    @Test func `a stale hit says so, until when it is served, and who makes it anew`() async throws {
        let fill = FillStatus.underWay(remaining: .seconds(3))
        let (_, answer) = try await self.exchange([.success(Self.hit("old", fill, at: 2000))]) {
            try await $0.lookup("why?", lease: .acquire())
        }
        let hit = try #require(try answer.get().hit)
        #expect(hit.best.isStale && hit.lease == nil && hit.fillUnderWay == .seconds(3))
        #expect(hit.best.expiresAt == CacheInstant(milliseconds: 1000))
        #expect(hit.best.staleUntil == CacheInstant(milliseconds: 9000))
    }

    @Test func `a lease is prolonged, given up and stored under`() async throws {
        let lease = try #require(FillLease(bytes: Self.token.bytes, cache: "c"))
        let answers: [ServiceResponse] = [
            .lease(LeaseOutcome(remaining: .seconds(60), isReleased: false)),
            .lease(LeaseOutcome(remaining: .zero, isReleased: true)), Self.stored,
        ]
        let (requests, value) = try await self.exchange(answers.map { .success($0) }) { client in
            let extended = try await client.extend(lease, for: .seconds(60))
            let isReleased = try await client.release(lease)
            _ = try await client.store("because", for: "why?", in: "c", staleTimeToLive: .seconds(5), lease: lease)
            return extended.remaining == .seconds(60) && isReleased
        }
        #expect(try value.get())
        let store = StoreRequest(
            cache: "c", prompt: .text(try CanonicalPrompt("why?")), response: Array("because".utf8),
            staleTimeToLive: .seconds(5), lease: Self.token)
        #expect(
            requests == [
                .lease(LeaseRequest(cache: "c", token: Self.token, action: .extend(.seconds(60)))),
                .lease(LeaseRequest(cache: "c", token: Self.token, action: .release)), .store(store),
            ])
        #expect(FillLease(bytes: [], cache: "c") == nil)
        #expect(FillLease(bytes: Array(repeating: 1, count: 65), cache: "c") == nil)
    }

    @Test func `an answer is made and stored under the lease, and used though the lease was void`() async throws {
        let fill = FillStatus.lease(Self.token, remaining: .seconds(30))
        for outcome in [.success(Self.stored), .failure(CacheError(.aborted, "void"))]
            as [Result<ServiceResponse, CacheError>]
        {
            let (requests, value) = try await self.exchange([.success(Self.miss(fill)), outcome]) { client in
                try await client.answer(to: "why?", in: "c") { CacheResponse("because") }
            }
            #expect(try value.get().text == "because")
            guard case .store(let store) = try #require(requests.last) else {
                Issue.record("\(requests)")
                return
            }
            #expect(store.lease == Self.token && store.response == Array("because".utf8))
        }
    }

    @Test func `what there is is not made, and what another makes is made but not stored`() async throws {
        let there = try await self.exchange([.success(Self.hit("there", nil))]) { client in
            try await client.answer(to: "why?") { throw CancellationError() }
        }
        #expect(try there.value.get().text == "there")
        for answer in [.success(Self.miss(.underWay(remaining: .seconds(9)))), .failure(CacheError(.unavailable, "x"))]
            as [Result<ServiceResponse, CacheError>]
        {
            let made = try await self.exchange([answer]) { client in
                try await client.answer(to: "why?") { CacheResponse("mine") }
            }
            #expect(try made.value.get().text == "mine")
        }
    }

    @Test func `a lease is given up if the answer cannot be made, and a stale one is then served`() async throws {
        struct Fault: Error {}
        let fill = FillStatus.lease(Self.token, remaining: .seconds(30))
        let release = ServiceResponse.lease(LeaseOutcome(remaining: .zero, isReleased: true))
        let failed = try await self.exchange([.success(Self.miss(fill)), .success(release)]) { client in
            try await client.answer(to: "why?") { throw Fault() }
        }
        #expect(throws: Fault.self) { try failed.value.get() }
        #expect(
            failed.requests.last == .lease(LeaseRequest(cache: "default", token: Self.token, action: .release)))
        let stale = try await self.exchange([.success(Self.hit("old", fill, at: 2000)), .success(release)]) { client in
            try await client.answer(to: "why?") { throw Fault() }
        }
        #expect(try stale.value.get().text == "old")
    }

    @Test func `what no lease can be is refused before it is sent`() async throws {
        let client = CacheClient(ClientConfiguration())
        for (lease, wait, field) in [
            (CacheLeaseWish.acquire(for: .milliseconds(999)), CacheWait.no, "lease_ttl_ms"),
            (.acquire(for: .seconds(601)), .no, "lease_ttl_ms"), (.none, .untilTimeout, "wait"),
            (.acquire(), .atMost(.zero), "maximum_wait_ms"),
        ] {
            let fault = await #expect(throws: CacheClientError.self) {
                try await client.lookup("why?", lease: lease, waits: wait)
            }
            #expect(fault?.code == .invalidArgument && fault?.field == field)
        }
        await client.close()
    }
}
