// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

/// Two servers over one store: one with L1, one without. What the first answers the second must answer too.
@Suite(.timeLimit(.minutes(2))) struct FastLaneTests {
    private static let prompts = [
        "how do I reset my password", "how do I reset my password please", "how can I reset my password",
        "where is my invoice", "where is my last invoice", "étude für Elise", "turn on dark mode", "turn off dark mode",
    ]
    private static let caches = ["support", "support", "support", "sales"]
    private static let varies: [[VaryPart]] = [
        [], [], [], [VaryPart(name: "model", value: "a")],
        [VaryPart(name: "model", value: "a"), VaryPart(name: "user", value: "1")],
        [VaryPart(name: "user", value: "1"), VaryPart(name: "model", value: "a")],
    ]

    private static func lookup(_ random: inout SeededGenerator) -> LookupRequest {
        LookupRequest(
            cache: random.pick(Self.caches), prompt: prompt(random.pick(Self.prompts)),
            vary: random.pick(Self.varies),
            similarityThreshold: random.chance(0.5) ? nil : random.pick([-1, 0, 0.6, 0.7, 0.8, 0.9, 1]),
            topK: random.chance(0.9) ? 1 : 2,
            maximumAge: random.chance(0.7) ? nil : .seconds(random.pick([0, 1, 5, 30])),
            mode: random.pick([.both, .both, .both, .exact, .semantic]),
            embedding: random.chance(0.9) ? nil : HashingEmbedder.embedding(of: random.pick(Self.prompts)).values)
    }

    private static func change(_ random: inout SeededGenerator, _ number: Int) -> ServiceRequest {
        let cache = random.pick(Self.caches)
        let question = prompt(random.pick(Self.prompts))
        let vary = random.pick(Self.varies)
        switch random.int(0...9) {
        case 0: return .invalidate(InvalidateRequest(cache: cache, selector: .wholeCache, isDryRun: random.chance(0.5)))
        case 1: return .invalidate(InvalidateRequest(cache: cache, selector: .exactPrompt(question, vary: vary)))
        case 2:
            let selector = InvalidateRequest.Selector.semanticRadius(
                question, vary: vary, similarity: 0.8, embedding: nil)
            return .invalidate(InvalidateRequest(cache: cache, selector: selector))
        default:
            var attributes: [Attribute] = []
            if random.chance(0.5) { attributes = random.attributes() }
            return .store(
                StoreRequest(
                    cache: cache, prompt: question, vary: vary, response: Array("answer \(number)".utf8),
                    attributes: attributes, timeToLive: .seconds(random.int(1...300)),
                    staleTimeToLive: random.chance(0.5) ? nil : .seconds(random.int(1...300)), usage: random.usage()))
        }
    }

    /// The outcome as it would be without L1: only the tier tells the two apart.
    private static func withoutTier(_ reply: Reply) -> Reply {
        guard case .success(.lookup(.hit(let hit))) = reply.result else { return reply }
        let stored = LookupHit(kind: hit.kind, tier: .store, matches: hit.matches, at: hit.at)
        return Reply(id: reply.id, result: .success(.lookup(.hit(stored))))
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `memory never answers otherwise than the store would`(seed: UInt64) async throws {
        let memory = MemoryVectorStore()
        let clock = ManualClock()
        var random = SeededGenerator(seed)
        var hits = 0
        try await TestServer.run(store: memory, clock: clock) { quick in
            try await TestServer.run(store: memory, clock: clock, memoryBytes: 0) { plain in
                let fast = try await quick.open()
                let slow = try await plain.open()
                for number in 1...1500 {
                    if random.chance(0.06) {
                        // Changes go by the server with memory: another one's do not reach it.
                        _ = try await fast.ask(Self.change(&random, number)).get()
                    }
                    if random.chance(0.03) { clock.advance(by: .milliseconds(random.int(1...8000))) }
                    let request = Self.lookup(&random)
                    for client in [fast, slow] { try await client.send(.lookup(request), id: UInt64(number)) }
                    let (found, expected) = (try await fast.nextReply(), try await slow.nextReply())
                    #expect(Self.withoutTier(found) == expected, "\(request)")
                    if found.lookup?.hit?.tier == .l1 { hits += 1 }
                }
            }
        }
        #expect(hits > 50)
    }

    /// Requests that look like the one in memory, each with one thing that the slow lane refuses or takes otherwise.
    private static let unusual: [ProtobufBytes] = {
        let call = { (head: ProtobufBytes, request: ProtobufBytes) in
            ProtobufBytes().message(2, head.message(8, request))
        }
        let one = ProtobufBytes().varint(1, 1)
        let asking = ProtobufBytes.asking("where is my invoice")
        let part = ProtobufBytes().text(1, "n").text(2, "v")
        return [
            call(one.data(3, [0xff]), asking), call(one.data(3, [0x61, 0]), asking),
            call(one.data(3, Array(repeating: 0x61, count: 257)), asking), call(one.text(3, "00-é"), asking),
            call(one.text(3, " 00  ab "), asking), call(one.text(3, "00-ab"), asking),
            call(one, asking.float(4, .nan)), call(one, asking.float(4, 1.5)), call(one, asking.float(4, -1)),
            call(one, asking.varint(5, 0)), call(one, asking.varint(5, 1)), call(one, asking.varint(5, 101)),
            call(one, asking.varint(7, 9)), call(one, asking.varint(7, UInt64.max)), call(one, asking.varint(7, 1)),
            call(one, asking.message(3, part).message(3, part)), call(one, asking.message(3)),
            call(one, asking.message(8)), call(one, asking.message(8, ProtobufBytes().floats(1, [.nan]))),
            call(one, asking.varint(6, UInt64.max)), call(one, asking.varint(6, 0)),
            call(one, asking.text(2, " where is  my invoice\n")), call(one, asking.text(2, "")),
            call(one, asking.data(2, Array("where is my invoice\0".utf8))), call(one, asking.text(1, "")),
            call(one, asking.text(1, "support\0")), call(one.varint(2, 1_000_000), asking),
            call(one.text(60, "later"), asking.text(61, "later")),
            call(one, asking.varint(11, 999)), call(one, asking.varint(11, 600_001)), call(one, asking.varint(12, 1)),
            call(one, asking.varint(11, 0)), call(one, asking.varint(11, 1000).varint(12, 1).varint(13, 1)),
            call(one, asking.varint(11, UInt64.max)), call(one, asking.varint(13, 5)),
        ]
    }()

    @Test(arguments: unusual.indices)
    func `memory never answers what would be refused`(index: Int) async throws {
        let memory = MemoryVectorStore()
        let clock = ManualClock()
        try await TestServer.run(store: memory, clock: clock) { quick in
            try await TestServer.run(store: memory, clock: clock, memoryBytes: 0) { plain in
                let fast = try await quick.open()
                let slow = try await plain.open()
                try await fast.store(CacheServerTests.store("where is my invoice", "in the mail"))
                for tier in [Tier.store, .l1] {
                    #expect(try await fast.lookup(CacheServerTests.lookup("where is my invoice")).hit?.tier == tier)
                }
                for client in [fast, slow] { try await client.send(bytes: Self.unusual[index].frame) }
                #expect(try await Self.withoutTier(fast.nextReply()) == slow.nextReply())
            }
        }
    }

    @Test func `a paraphrase is answered from memory as the paraphrase that it is`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            let stored = try await client.store(CacheServerTests.store("how do I reset my password", "by mail"))
            server.clock.advance(by: .seconds(3))
            let asked = CacheServerTests.lookup("how do I reset my password please")
            let first = try #require(try await client.lookup(asked).hit)
            let second = try #require(try await client.lookup(asked).hit)
            #expect(first.tier == .store && second.tier == .l1)
            for hit in [first, second] {
                #expect(hit.kind == .semantic && hit.matches[0].entry.id == stored.id)
                #expect(hit.matches[0].similarity < 0.99 && hit.at - hit.matches[0].entry.createdAt == .seconds(3))
            }
            #expect(first.matches == second.matches)
            // The stored question itself is an exact hit, from memory as well.
            let exact = try #require(try await client.lookup(CacheServerTests.lookup("how do I reset my password")).hit)
            #expect(exact.kind == .exact && exact.tier == .l1 && exact.matches[0].similarity == 1)
        }
    }
}
