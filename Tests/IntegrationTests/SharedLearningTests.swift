// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport
import Testing

/// Two services on one real Redis learn from each other.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SharedLearningTests {
    private static let subjects = [
        "my password", "the dark mode", "an invoice", "the shipping address", "a refund", "my subscription",
        "two-factor login", "the weekly report", "a broken screen", "the opening hours", "my phone number",
        "the loyalty card", "a birthday voucher", "the parking permit", "my data export", "an old order",
        "the news letter", "a lost parcel", "the annual fee", "my tax form",
    ]

    private static let wordings = [
        "How do I change %?", "how can i change %", "I would like to change %", "please tell me how to change %",
        "What do I have to do to change %?", "changing %, how?", "Can you help me change %?", "I need to change %",
        "where can I change %", "Is it possible to change % and how?", "% has to be changed, what now",
        "we must change %",
        "who can change % for me", "my wish is to change %", "could somebody change %", "change % for me",
        "I am trying to change %", "what are the steps to change %", "show me the way to change %",
        "the page where I can change %",
    ]

    /// Each question of one wording after those of the wording before.
    private static let questions = Self.wordings.flatMap { wording in
        Self.subjects.map { (text: wording.replacing("%", with: $0), answer: "This is all about \($0).") }
    }

    private func decisions(of client: CacheClient) async throws -> ServerStatistics.Decisions {
        try #require(try await client.statistics().caches.first?.decisions)
    }

    @Test func `what one service has learnt the other decides by, and what is blocked on one is blocked on both`()
        async throws
    {
        let redis = try await RedisServer.start()
        let services = [
            try await RunningService(environment: ["SEMCACHED_STORE_URL": redis.url]),
            try await RunningService(environment: ["SEMCACHED_STORE_URL": redis.url]),
        ]
        let clients = services.map {
            CacheClient(ClientConfiguration(ServerAddress(host: "127.0.0.1", port: $0.port)))
        }
        for (text, answer) in Self.questions where try await clients[0].lookup(text).hit == nil {
            _ = try await clients[0].store(answer, for: text)
        }
        let first = try await self.decisions(of: clients[0])
        #expect(first.labels >= 40)
        #expect(first.riskLimit > 0)

        // Whatever is asked there for the first time makes it read what there is.
        _ = try await clients[1].lookup("Is there a museum of modern art in this town?")
        let second = try await self.decisions(of: clients[1])
        // The last ones are told when there are a few.
        #expect(second.labels <= first.labels && second.labels + 16 >= first.labels)
        #expect(second.phase == first.phase)
        #expect(second.riskLimit > 0)

        var pairs: [(risk: Float, other: Float)] = []
        var served: (text: String, hit: CacheHit)?
        for subject in Self.subjects {
            let text = "And now I want to change \(subject) at last"
            let hits = (try await clients[0].lookup(text).hit, try await clients[1].lookup(text).hit)
            if let risk = hits.0?.decision?.risk, let other = hits.1?.decision?.risk { pairs.append((risk, other)) }
            if hits.0 != nil, let hit = hits.1, hit.decision?.risk != nil { served = (text, hit) }
        }
        #expect(pairs.count >= 3)
        for (risk, other) in pairs { #expect(abs(risk - other) < 0.02) }

        let (text, hit) = try #require(served)
        #expect(try await clients[1].feedback(.wrong, on: hit).isBlocked)
        for client in clients {
            guard case .miss(let miss) = try await client.lookup(text) else {
                Issue.record("it is served still")
                continue
            }
            // It may be too risky as well by now.
            #expect([.blocked, .tooRisky].contains(miss.reason))
        }
        #expect(try await self.decisions(of: clients[1]).feedbackWrong == 1)
        for client in clients { await client.close() }
        for service in services { #expect(await service.stop(SIGTERM) == 0) }
    }
}
