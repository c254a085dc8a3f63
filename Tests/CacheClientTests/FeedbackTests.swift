// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import Testing

/// Feedback, and what answers say of how they were decided on.
@Suite(.timeLimit(.minutes(1)))
struct FeedbackTests {
    private static let entries = [EntryID(high: 1, low: 2), EntryID(high: 3, low: 4)]
    private static let learnt = ServiceResponse.feedback(FeedbackOutcome(isBlocked: true, isLearnt: false))

    private static func hit(_ kind: LookupHit.Kind, lookup: LookupID?) -> ServiceResponse {
        let matches = self.entries.map { id in
            LookupMatch(
                entry: CacheEntry(
                    id: id, prompt: nil, response: [0x61], contentType: "text/plain", attributes: [], usage: nil,
                    createdAt: Timestamp(milliseconds: 0), expiresAt: Timestamp(milliseconds: 9000)), similarity: 0.9)
        }
        var hit = LookupHit(kind: kind, tier: .store, matches: matches, at: Timestamp(milliseconds: 1))
        hit.lookup = lookup
        if kind == .semantic {
            hit.decision = DecisionExplanation(kind: .calibrated, risk: 0.0625, riskLimit: 0.125)
        }
        return .lookup(.hit(hit))
    }

    /// Makes calls against a server that gives these answers, one to each request.
    private func exchange<Value: Sendable>(
        _ responses: [ServiceResponse], _ call: @Sendable @escaping (CacheClient) async throws -> Value
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
                peer.send(.reply(Reply(id: received.id, result: .success(response))))
            }
            let result = (requests, await value)
            await client.close()
            return result
        }
    }

    @Test func `feedback on an answer by meaning names the lookup`() async throws {
        let lookup = LookupID(bytes: [1, 2, 3])
        let (requests, value) = try await self.exchange([Self.hit(.semantic, lookup: lookup), Self.learnt]) { client in
            guard let hit = try await client.lookup("why?", in: "c", vary: ["m": "1"]).hit else {
                throw Unexpected("no hit")
            }
            return (hit, try await client.feedback(.wrong, on: hit))
        }
        let (hit, receipt) = try value.get()
        let expected = FeedbackRequest(
            cache: "c", entry: Self.entries[0], question: .lookup(lookup), verdict: .wrong)
        #expect(requests.last == .feedback(expected))
        #expect(receipt.isBlocked && !receipt.isLearnt)
        #expect(hit.lookupID?.bytes == [1, 2, 3])
        #expect(hit.decision?.policy == .calibrated)
        #expect(hit.decision?.risk == 0.0625 && hit.decision?.riskLimit == 0.125)
    }

    @Test func `feedback on an answer without a lookup's name goes by what was asked`() async throws {
        let (requests, value) = try await self.exchange([Self.hit(.exact, lookup: nil), Self.learnt]) { client in
            guard let hit = try await client.lookup("why?", in: "c", vary: ["m": "1"], embedding: [1]).hit else {
                throw Unexpected("no hit")
            }
            let text = "\(hit)"
            #expect(!text.contains("why?"), "what is printed ends up in logs")
            return try await client.feedback(.right, on: hit, entry: hit.matches[1].entryID)
        }
        _ = try value.get()
        let question = FeedbackRequest.Question.prompt(
            .text(try CanonicalPrompt("why?")), vary: [VaryPart(name: "m", value: "1")], embedding: [1])
        let expected = FeedbackRequest(cache: "c", entry: Self.entries[1], question: question, verdict: .right)
        #expect(requests.last == .feedback(expected))
    }

    @Test func `feedback on another answer than those of the hit is not sent`() async throws {
        let (requests, value) = try await self.exchange([Self.hit(.exact, lookup: nil)]) { client in
            guard let hit = try await client.lookup("why?").hit else { throw Unexpected("no hit") }
            let stranger = try #require(CacheEntryID(EntryID(high: 9, low: 9).description))
            do {
                _ = try await client.feedback(.right, on: hit, entry: stranger)
                return "sent"
            } catch let error as CacheClientError {
                return error.field ?? ""
            }
        }
        #expect(try value.get() == "entry_id" && requests.count == 1)
    }

    @Test func `feedback goes by entry and prompt, chat or lookup`() async throws {
        let entry = try #require(CacheEntryID(Self.entries[0].description))
        let lookup = try #require(CacheLookupID(bytes: [7]))
        let responses = Array(repeating: Self.learnt, count: 3)
        let (requests, value) = try await self.exchange(responses) { client in
            try await client.feedback(.wrong, on: entry, for: " a  question", in: "c", vary: ["m": "1"])
            try await client.feedback(.right, on: entry, for: [CacheChatMessage(role: "user", content: "q ")])
            return try await client.feedback(.wrong, on: entry, of: lookup, in: "c")
        }
        _ = try value.get()
        let vary = [VaryPart(name: "m", value: "1")]
        let chat = Prompt.chat([ChatMessage(role: "user", content: "q ")])
        let questions: [(String, FeedbackRequest.Question, FeedbackRequest.Verdict)] = [
            ("c", .prompt(.text(try CanonicalPrompt("a question")), vary: vary, embedding: nil), .wrong),
            ("default", .prompt(chat, vary: [], embedding: nil), .right),
            ("c", .lookup(LookupID(bytes: [7])), .wrong),
        ]
        #expect(
            requests
                == questions.map { cache, question, verdict in
                    .feedback(
                        FeedbackRequest(
                            cache: cache, entry: Self.entries[0], question: question, verdict: verdict))
                })
    }

    @Test func `a lookup's name has 1 to 512 bytes`() {
        #expect(CacheLookupID(bytes: []) == nil)
        #expect(CacheLookupID(bytes: Array(repeating: 1, count: 513)) == nil)
        #expect(CacheLookupID(bytes: Array(repeating: 1, count: 512)) != nil)
    }

    private static let reasons: [(LookupMiss.Reason, CacheMiss.Reason)] =
        [
            (.tooRisky, .tooRisky), (.blocked, .blocked), (.judged, .judged), (.shadow, .shadow), (.audited, .audited),
        ] + zip(Guard.allCases, CacheGuard.allCases).map { (.guarded($0), .guarded($1)) }

    @Test func `a miss says who refused, and at what risk`() async throws {
        #expect(Guard.allCases.map(\.rawValue) == CacheGuard.allCases.map(\.rawValue))
        let responses = Self.reasons.map { reason, _ in
            var miss = LookupMiss(reason: reason, similarityThreshold: 0.5)
            miss.decision = DecisionExplanation(kind: .threshold, risk: 0.25)
            return ServiceResponse.lookup(.miss(miss))
        }
        let (_, value) = try await self.exchange(responses) { client in
            var misses: [CacheMiss] = []
            for _ in responses {
                guard case .miss(let miss) = try await client.lookup("q") else { throw Unexpected("a hit") }
                misses.append(miss)
            }
            return misses
        }
        let misses = try value.get()
        #expect(misses.map(\.reason) == Self.reasons.map { $0.1 })
        #expect(misses.allSatisfy { $0.decision?.policy == .threshold && $0.decision?.risk == 0.25 })
        #expect(misses.allSatisfy { $0.decision?.riskLimit == nil })
    }

    @Test func `statistics tell what decides and what it refused`() async throws {
        var statistics = ServiceStatistics()
        var cache = CacheStatistics(cache: "c")
        cache.missesRefused = 3
        cache.decision.phase = .steppedBack
        cache.decision.labels = 70
        cache.decision.labelsNeeded = 200
        cache.decision.wrongPerLookup = 0.01
        cache.decision.wrongPerHit = 0.03
        cache.decision.refusals = ["number": 2, "risk": 1]
        statistics.caches = [cache]
        let (_, value) = try await self.exchange([.stats(statistics)]) { try await $0.statistics() }
        let told = try value.get().caches[0]
        #expect(told.misses == 3 && told.missesRefused == 3 && told.hitRate == 0)
        #expect(told.decisions.phase == .steppedBack)
        #expect(told.decisions.labels == 70 && told.decisions.labelsNeeded == 200)
        #expect(told.decisions.wrongPerLookup == 0.01 && told.decisions.wrongPerHit == 0.03)
        #expect(told.decisions.refusals == ["number": 2, "risk": 1])
    }
}
