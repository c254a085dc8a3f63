// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

/// Mistakes of other caches with who may do what, and with what they hand back.
@Suite(.timeLimit(.minutes(5))) struct AuthorityPitfallTests {
    private static let question = "how do I reset my password"
    private static let paraphrase = "how do I reset my password please"

    @Test func `pitfall 10: an answer by meaning never becomes one to the paraphrase itself`() async throws {
        let clock = ManualClock()
        let folder = try Folder()
        try await TestService.run(folder: folder, clock: clock) { service in
            let client = try await service.connect("a")
            let stored = try await client.store(store(Self.question, "by mail", timeToLive: .seconds(60)))
            clock.advance(by: .seconds(30))
            var similarities: Set<Float> = []
            for round in 0..<4 {
                let hit = try #require(try await client.lookup(lookup(Self.paraphrase)).hit)
                let match = hit.matches[0]
                #expect(hit.kind == .semantic && match.entry.id == stored.id)
                #expect(hit.tier == (round == 0 ? .store : .l1))
                #expect(match.entry.createdAt == clock.now + .seconds(-30))
                #expect(match.entry.expiresAt == stored.expiresAt)
                similarities.insert(match.similarity)
                #expect(match.similarity < 0.99)
                let exact = try await client.lookup(lookup(Self.paraphrase, mode: .exact))
                #expect(exact.miss?.reason == .notStored)
            }
            #expect(similarities.count == 1)
            #expect(try await client.entries() == 1)
            // A paraphrase of the paraphrase is measured from what was stored.
            let third = try await client.lookup(lookup(Self.paraphrase + " soon", threshold: -1)).hit
            #expect(third.map { $0.matches[0].similarity < similarities.first! } ?? false)
            clock.advance(by: .seconds(30))
            #expect(try await client.lookup(lookup(Self.paraphrase)).hit == nil)
        }
        try await TestService.run(folder: folder, clock: ManualClock()) { service in
            let client = try await service.connect("a")
            #expect(try await client.lookup(lookup(Self.paraphrase, mode: .exact)).miss?.reason == .notStored)
        }
    }

    @Test func `pitfall 11: a caller does not get below the floor of the cache or of the tenant`() async throws {
        var directory = TenantDirectory()
        var policy = TenantPolicy(similarityFloor: 0.85)
        policy.declare("support", CachePolicy(similarityThreshold: 0.5, similarityFloor: -1, timeToLiveJitter: 0))
        policy.declare("strict", CachePolicy(similarityThreshold: 0.97, similarityFloor: 0.95, timeToLiveJitter: 0))
        directory.declare(TenantID("a"), policy)
        try await TestService.run(directory: directory) { _, client in
            for cache in ["support", "strict"] {
                let floor: Float = cache == "strict" ? 0.95 : 0.85
                try await client.store(store(Self.question, "by mail", cache: cache))
                // Of words in common about: 5 of 6, and 4 of 6.
                let others = ["how do I reset our password", "how can we reset my password"]
                for other in others {
                    let vector = HashingEmbedder.embedding(of: other).values
                    let similarity = zip(vector, HashingEmbedder.embedding(of: Self.question).values)
                        .reduce(0) { $0 + $1.0 * $1.1 }
                    #expect(similarity < 0.95)
                    for threshold in [-1, 0, 0.1, 0.5, floor.nextDown, nil] as [Float?] {
                        for mode in [LookupRequest.Mode.both, .semantic] {
                            let outcome = try await client.lookup(
                                lookup(other, cache: cache, threshold: threshold, topK: 1, mode: mode))
                            if similarity < floor { #expect(outcome.hit == nil) }
                            if let miss = outcome.miss { #expect(miss.similarityThreshold >= floor) }
                            // What is in memory by a lower threshold is not served to a higher one.
                            let strict = lookup(other, cache: cache, threshold: 0.999, mode: mode)
                            #expect(try await client.lookup(strict).hit == nil)
                        }
                    }
                }
                let request = LookupRequest(
                    cache: cache, prompt: text("something else"), similarityThreshold: -1,
                    embedding: HashingEmbedder.embedding(of: "quite far").values)
                #expect(try await client.lookup(request).miss?.similarityThreshold == floor)
            }
        }
    }

    @Test func `pitfall 11: a reload that raises the floor is felt by what memory answers`() async throws {
        try await TestService.run { service, client in
            try await client.store(store(Self.question, "by mail"))
            for _ in 0..<3 { #expect(try await client.lookup(lookup(Self.paraphrase)).hit != nil) }
            service.engine.replace(
                TenantDirectory(undeclared: TenantPolicy(similarityFloor: 0.999, template: TestService.policy)))
            for _ in 0..<2 { #expect(try await client.lookup(lookup(Self.paraphrase)).hit == nil) }
            #expect(try await client.lookup(lookup(Self.question)).hit != nil)
        }
    }

    @Test func `pitfall 12: who may read may not write, remove or administer, and so on for each role`() async throws {
        let roles: [(String, Roles)] = [
            ("read", .read), ("write", .write), ("invalidate", .invalidate), ("feedback", .feedback),
            ("admin", .admin), ("most", [.read, .invalidate, .feedback, .admin]),
        ]
        let grants = roles.map { APIKeyGrant.tenant("a", key: $0.0, $0.1) } + [.tenant("a", key: "owner")]
        try await TestService.run(grants: grants) { service in
            let owner = try await service.connect("owner")
            let id = try await owner.store(store(Self.question, "by mail")).id
            for (key, role) in roles {
                let client = try await service.connect(key)
                let requests: [(Roles, ServiceRequest)] = [
                    (.read, .lookup(lookup(Self.question))), (.read, .lookup(lookup(Self.paraphrase))),
                    (.write, .store(store("another", "one"))), (.admin, .stats(cache: nil)),
                    (.admin, .export(ExportRequest(cache: "support"))),
                    (.read, .embed(EmbedRequest(cache: "support", texts: [try CanonicalPrompt("q")]))),
                    (.invalidate, .invalidate(invalidate(.ids([id]), isDryRun: true))),
                    (.invalidate, .invalidate(invalidate(.wholeTenant(confirmation: "a"), cache: "", isDryRun: true))),
                ]
                for (needed, request) in requests {
                    // Twice: the second could be answered from memory.
                    for _ in 0..<2 {
                        let expected: CacheError.Code? = role.contains(needed) ? nil : .permissionDenied
                        #expect(try await client.error(request)?.code == expected, "\(key): \(needed)")
                    }
                }
                guard !role.contains(.write) else { continue }
                // The poisoned answer: to the very question, and to what is near it.
                for prompt in [Self.question, Self.paraphrase] {
                    #expect(try await client.error(.store(store(prompt, "evil")))?.code == .permissionDenied)
                }
            }
            _ = try await owner.invalidate(invalidate(.exactPrompt(text("another"), vary: [])))
            #expect(try await owner.lookup(lookup(Self.question)).response == "by mail")
            #expect(try await owner.lookup(lookup(Self.paraphrase)).response == "by mail")
            #expect(try await owner.entries() == 1)
        }
    }

    @Test func `pitfall 14: without a credential nothing is told, not even that the service is alive`() async throws {
        try await TestService.run { service, client in
            try await client.store(store(Self.question, "by mail"))
            let requests: [ServiceRequest] = [
                .ping, .stats(cache: nil), .stats(cache: "support"), .lookup(lookup(Self.question)),
                .export(ExportRequest(cache: "support")),
                .embed(EmbedRequest(cache: "support", texts: [try CanonicalPrompt("q")])),
                .invalidate(invalidate(.wholeCache)), .store(store("another", "one")),
            ]
            let credentials: [Credential?] = [nil, Credential.none, .apiKey("b"), .apiKey("A"), .token("a")]
            for credential in credentials {
                for request in requests {
                    let stranger = try await WireClient.connect(to: service.address)
                    let call = ClientMessage.call(Call(id: 1, request: .success(request)))
                    if let credential {
                        let hello = Hello(
                            minimumVersion: 1, maximumVersion: 1, clientName: "", credential: credential)
                        try await stranger.send(.hello(hello), call)
                    } else {
                        try await stranger.send(call)
                    }
                    guard case .reply(let reply) = try await stranger.next(), case .failure(let error) = reply.result
                    else {
                        Issue.record("a stranger is answered: \(request)")
                        return
                    }
                    #expect(reply.id == 0 && error.code == .unauthenticated)
                    #expect(try await stranger.next() == nil)
                }
            }
            #expect(try await client.entries() == 1)
        }
    }

    @Test func `pitfall 15: a response comes back bit by bit, whatever it looks like`() async throws {
        var random = SeededGenerator(15)
        let every = (0...255).map { UInt8($0) }
        let payloads: [(String, [UInt8])] = [
            ("application/json", Array(#"{"a": 1, "a": 2, "x": NaN, "big": 1e999}"#.utf8)),
            ("application/json", Array("{not json".utf8)), ("text/plain; charset=utf-8", [0xff, 0xfe, 0, 0x80]),
            ("application/octet-stream", every), ("application/octet-stream", [0]),
            ("application/x-python-pickle", Array("cos\nsystem\n(S'touch x'\ntR.".utf8)),
            ("application/gzip", [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), ("text/plain", Array(" \r\n\t ".utf8)),
            ("text/plain", Array("\u{feff}e\u{301}\u{212b}".utf8)), ("text/plain", Array("null".utf8)),
            ("application/x-protobuf", ProtobufBytes.hello().frame), ("application/x-random", random.bytes(100_000)),
        ]
        let folder = try Folder()
        let clock = ManualClock()
        func expectSame(_ client: WireClient) async throws {
            for (position, (contentType, response)) in payloads.enumerated() {
                for mode in [LookupRequest.Mode.both, .exact, .semantic, .both] {
                    let hit = try await client.lookup(lookup("payload \(position)", threshold: 0.99, mode: mode)).hit
                    #expect(hit?.matches[0].entry.response == response, "\(contentType)")
                    #expect(hit?.matches[0].entry.contentType == contentType)
                }
            }
        }
        try await TestService.run(folder: folder, clock: clock) { service in
            let client = try await service.connect("a")
            for (position, (contentType, response)) in payloads.enumerated() {
                try await client.store(
                    StoreRequest(
                        cache: "support", prompt: text("payload \(position)"), response: response,
                        contentType: contentType))
            }
            try await expectSame(client)
        }
        // Read again from the file.
        try await TestService.run(folder: folder, clock: clock) { try await expectSame(try await $0.connect("a")) }
    }
}
