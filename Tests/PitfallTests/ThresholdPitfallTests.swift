// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheWire
import TestSupport
import Testing

/// Mistakes of other caches with scores and with time.
@Suite(.timeLimit(.minutes(5))) struct ThresholdPitfallTests {
    private static let question = "how do I reset my password"
    private static let paraphrase = "how do I reset my password please"

    /// A vector with this similarity to the first axis.
    private static func vector(_ similarity: Float) -> [Float] {
        var values = [Float](repeating: 0, count: 64)
        values[0] = similarity
        values[1] = Float((1 - Double(similarity) * Double(similarity)).squareRoot())
        return values
    }

    /// - Parameter name: Of the question, which is not stored.
    private static func asking(_ threshold: Float?, topK: Int = 1, name: String = "asked") -> LookupRequest {
        LookupRequest(
            cache: "support", prompt: text(name), similarityThreshold: threshold, topK: topK,
            embedding: Self.vector(1))
    }

    private static func storeOnly(_ similarity: Float, _ client: WireClient) async throws {
        try await client.invalidate(invalidate(.wholeCache))
        try await client.store(
            StoreRequest(
                cache: "support", prompt: text("stored"), response: [1], embedding: Self.vector(similarity)))
    }

    private static let similarities: [Float] = [
        -1, -0.5, -0.001, 0, 0.001, 0.3, 0.8, 0.8049, 0.805, 0.8051, 0.9949, 0.995, 0.999, 1,
    ]

    @Test(arguments: similarities)
    func `pitfall 16: a threshold is a similarity, is honoured as it is, and is not rounded`(similarity: Float)
        async throws
    {
        try await TestService.run { _, client in
            try await Self.storeOnly(similarity, client)
            // What the vectors' similarity is after normalising: the last bit may differ from what was asked for.
            let measured = try #require(try await client.lookup(Self.asking(-1)).hit?.matches[0].similarity)
            #expect(abs(measured - similarity) < 1e-6)
            let close = [measured, measured.nextUp, measured.nextDown]
            for threshold in Self.similarities + close where abs(threshold) <= 1 {
                let outcome = try await client.lookup(Self.asking(threshold))
                #expect((outcome.hit != nil) == (measured >= threshold), "\(measured) against \(threshold)")
                guard let miss = outcome.miss else { continue }
                #expect(miss.reason == .belowThreshold && miss.similarityThreshold == threshold)
                #expect(miss.nearest?.similarity == measured)
            }
            // None at all is the cache's, 0.8, which 0 is not.
            let unset = try await client.lookup(Self.asking(nil))
            #expect((unset.hit != nil) == (measured >= 0.8))
            if let miss = unset.miss { #expect(miss.similarityThreshold == 0.8) }
        }
    }

    @Test func `pitfall 16: zero is a threshold, for a request as for a cache`() async throws {
        var directory = TenantDirectory()
        var policy = TenantPolicy()
        policy.declare("support", CachePolicy(similarityThreshold: 0, similarityFloor: -1, timeToLiveJitter: 0))
        directory.declare(TenantID("a"), policy)
        try await TestService.run(directory: directory) { _, client in
            for (similarity, isHit) in [(0.01, true), (0, true), (-0.01, false)] as [(Float, Bool)] {
                try await Self.storeOnly(similarity, client)
                #expect((try await client.lookup(Self.asking(nil)).hit != nil) == isHit)
                #expect((try await client.lookup(Self.asking(0)).hit != nil) == isHit)
                #expect(try await client.lookup(Self.asking(-1)).hit != nil)
                let outcome = try await client.invalidate(
                    invalidate(
                        .semanticRadius(text("asked"), vary: [], similarity: 0, embedding: Self.vector(1)),
                        isDryRun: true))
                #expect(outcome.count == (isHit ? 1 : 0))
            }
        }
    }

    @Test func `pitfall 16: the nearest comes first, and nearness is told as similarity`() async throws {
        try await TestService.run { _, client in
            let similarities: [Float] = [0.2, 0.9, -0.4, 0.7, 1, 0.85]
            for similarity in similarities {
                try await client.store(
                    StoreRequest(
                        cache: "support", prompt: text("\(similarity)"), response: [1],
                        embedding: Self.vector(similarity)))
            }
            let matches = try #require(try await client.lookup(Self.asking(-1, topK: 100)).hit?.matches)
            for (match, similarity) in zip(matches, similarities.sorted(by: >)) {
                #expect(abs(match.similarity - similarity) < 1e-6)
            }
            #expect(matches.count == similarities.count)
        }
    }

    @Test func `pitfall 17: no hit moves the end of an entry, its own or a neighbour's`() async throws {
        try await TestService.run { service, client in
            let stored = try await client.store(store(Self.question, "by mail", timeToLive: .seconds(60)))
            let neighbour = try await client.store(store("how can I reset it", "so", timeToLive: .seconds(60)))
            let requests = [
                lookup(Self.question), lookup(Self.question, mode: .exact), lookup(Self.paraphrase),
                lookup(Self.question, threshold: -1, topK: 2), lookup(Self.question, mode: .semantic),
                lookup("how can I", threshold: -1, topK: 2, mode: .semantic),
            ]
            for _ in 0..<6 {
                for request in requests + requests {
                    let hit = try #require(try await client.lookup(request).hit)
                    for match in hit.matches {
                        #expect([stored.expiresAt, neighbour.expiresAt].contains(match.entry.expiresAt))
                    }
                    #expect(hit.matches.count == request.topK)
                }
                service.clock.advance(by: .milliseconds(9_999))
            }
            // 59.994 s: still there; at 60 s gone, from memory as well.
            service.clock.advance(by: .milliseconds(5))
            for request in requests { #expect(try await client.lookup(request).hit != nil) }
            service.clock.advance(by: .milliseconds(1))
            #expect(service.clock.now == stored.expiresAt)
            for request in requests + requests { #expect(try await client.lookup(request).hit == nil) }
            #expect(try await client.entries() == 0)
        }
    }

    @Test func `pitfall 18: what memory answers is as old as the entry, and maximum age holds`() async throws {
        try await TestService.run { service, client in
            let createdAt = service.clock.now
            try await client.store(store(Self.question, "by mail"))
            service.clock.advance(by: .seconds(10))
            for prompt in [Self.question, Self.paraphrase] {
                for round in 0..<4 {
                    let hit = try #require(try await client.lookup(lookup(prompt)).hit)
                    #expect(hit.tier == (round == 0 ? .store : .l1))
                    #expect(hit.matches[0].entry.createdAt == createdAt)
                    #expect(hit.at - hit.matches[0].entry.createdAt == .seconds(10))
                }
                for mode in [LookupRequest.Mode.both, .exact] where mode == .both || prompt == Self.question {
                    for age in [Duration.zero, .seconds(5), .milliseconds(9_999)] {
                        let outcome = try await client.lookup(lookup(prompt, maximumAge: age, mode: mode))
                        #expect(outcome.miss?.reason == .tooOld)
                    }
                    for age in [Duration.seconds(10), .seconds(11)] {
                        #expect(try await client.lookup(lookup(prompt, maximumAge: age, mode: mode)).hit != nil)
                    }
                }
            }
            // Asked for after that, it is no younger.
            service.clock.advance(by: .seconds(1))
            let late = lookup(Self.question, maximumAge: .seconds(10))
            #expect(try await client.lookup(late).miss?.reason == .tooOld)
        }
    }
}
