// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import Testing

/// What the operations send, and what they make of the answers.
@Suite(.timeLimit(.minutes(1)))
struct OperationsTests {
    static let id = EntryID(high: 1, low: 2)

    /// Makes one call against a server that answers it, and gives back what it was asked.
    func exchange<Value: Sendable>(
        _ response: Result<ServiceResponse, CacheError>,
        _ call: @Sendable @escaping (CacheClient) async throws -> Value
    ) async throws -> (request: ServiceRequest, value: Result<Value, any Error>) {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let value: Result<Value, any Error> = {
                do { return .success(try await call(client)) } catch { return .failure(error) }
            }()
            let peer = try await server.welcomePeer()
            let received = try await peer.call()
            peer.send(.reply(Reply(id: received.id, result: response)))
            let result = (try received.request.get(), await value)
            await client.close()
            return result
        }
    }

    @Test func `a lookup asks what it was told and a hit says all`() async throws {
        let entry = CacheEntry(
            id: Self.id, prompt: nil, response: Array("an answer".utf8), contentType: "text/plain",
            attributes: [
                Attribute(name: "lang", value: .string("de")), Attribute(name: "score", value: .number(0.5)),
                Attribute(name: "beta", value: .boolean(true)), Attribute(name: "tags", value: .strings(["a", "b"])),
            ], usage: Usage(promptTokens: 1, completionTokens: 2, cost: 3), createdAt: Timestamp(milliseconds: 1000),
            expiresAt: Timestamp(milliseconds: 9000))
        let outcome = LookupOutcome.hit(
            LookupHit(
                kind: .semantic, tier: .l1, matches: [LookupMatch(entry: entry, similarity: 0.875)],
                at: Timestamp(milliseconds: 3500)))
        let (request, answer) = try await self.exchange(.success(.lookup(outcome))) { client in
            try await client.lookup(
                "  a  question ", in: "support", vary: ["model": "small"], filter: "not draft",
                similarityThreshold: 0.75, topK: 3, maximumAge: .seconds(60), mode: .semantic, embedding: [1, 0])
        }
        let expected = LookupRequest(
            cache: "support", prompt: .text(try CanonicalPrompt("a question")),
            vary: [VaryPart(name: "model", value: "small")], filter: try MetadataFilter("not draft"),
            similarityThreshold: 0.75, topK: 3,
            maximumAge: .seconds(60), mode: .semantic, embedding: [1, 0])
        #expect(request == .lookup(expected))
        let hit = try #require(try answer.get().hit)
        #expect(hit.kind == .semantic)
        #expect(hit.tier == .l1)
        #expect(hit.matches == [hit.best])
        #expect(hit.best.text == "an answer")
        #expect(hit.best.similarity == 0.875)
        #expect(hit.best.age == .milliseconds(2500))
        #expect(hit.best.attributes == ["lang": "de", "score": 0.5, "beta": true, "tags": ["a", "b"]])
        #expect(hit.best.usage == CacheUsage(promptTokens: 1, completionTokens: 2, cost: 3))
        #expect(hit.best.expiresAt == CacheInstant(milliseconds: 9000))
    }

    @Test func `texts are sent as prompts, and their vectors come back with the model's name`() async throws {
        let outcome = EmbedOutcome(identity: "p/m/2/r", vectors: [[1, 0], [0, 1]])
        let (request, answer) = try await self.exchange(.success(.embed(outcome))) { client in
            try await client.embed(["  a  question ", "b"], in: "support")
        }
        let texts = [try CanonicalPrompt("a question"), try CanonicalPrompt("b")]
        #expect(request == .embed(EmbedRequest(cache: "support", texts: texts)))
        let embeddings = try answer.get()
        #expect(embeddings.identity == "p/m/2/r" && embeddings.vectors == [[1, 0], [0, 1]])
    }

    @Test func `an answer with another number of vectors than texts is none`() async throws {
        let outcome = EmbedOutcome(identity: "p/m/2/r", vectors: [[1, 0]])
        let (_, answer) = try await self.exchange(.success(.embed(outcome))) { try await $0.embed(["a", "b"]) }
        #expect(throws: CacheClientError.self) { try answer.get() }
    }

    @Test func `a miss says why`() async throws {
        let outcome = LookupOutcome.miss(
            LookupMiss(
                reason: .belowThreshold, nearest: NearestMiss(id: Self.id, similarity: 0.5, isApproximate: true),
                similarityThreshold: 0.85))
        let (_, answer) = try await self.exchange(.success(.lookup(outcome))) { try await $0.lookup("q") }
        guard case .miss(let miss) = try answer.get() else { throw Unexpected("a hit") }
        #expect(miss.reason == .belowThreshold)
        #expect(miss.nearest?.similarity == 0.5)
        #expect(miss.nearest?.isApproximate == true)
        #expect(miss.nearest?.entryID.description == Self.id.description)
        #expect(miss.similarityThreshold == 0.85)
    }

    @Test func `a miss because of the filter and a bypass say so`() async throws {
        let filtered = LookupOutcome.miss(LookupMiss(reason: .filtered, similarityThreshold: 0.85))
        let (_, miss) = try await self.exchange(.success(.lookup(filtered))) { try await $0.lookup("q") }
        guard case .miss(let miss) = try miss.get() else { throw Unexpected("no miss") }
        #expect(miss.reason == .filtered)
        let bypass = LookupOutcome.bypass(LookupBypass(messages: 9, limit: 8))
        let (_, answer) = try await self.exchange(.success(.lookup(bypass))) { try await $0.lookup("q") }
        guard case .bypass(let found) = try answer.get() else { throw Unexpected("no bypass") }
        #expect(found.messages == 9 && found.maximumMessages == 8)
    }

    @Test func `a chat is sent as it is`() async throws {
        let chat = [
            CacheChatMessage(role: "system", content: " Be brief. "), CacheChatMessage(role: "user", content: "q\n"),
        ]
        let sent = Prompt.chat([
            ChatMessage(role: "system", content: " Be brief. "), ChatMessage(role: "user", content: "q\n"),
        ])
        let miss = LookupOutcome.miss(LookupMiss(reason: .noEntry, similarityThreshold: 0.85))
        let (lookup, _) = try await self.exchange(.success(.lookup(miss))) { try await $0.lookup(chat, in: "c") }
        #expect(lookup == .lookup(LookupRequest(cache: "c", prompt: sent)))
        let stored = StoreOutcome(id: Self.id, expiresAt: Timestamp(milliseconds: 5), isReplacement: false)
        let (store, _) = try await self.exchange(.success(.store(stored))) { client in
            try await client.store("r", for: chat, in: "c")
        }
        #expect(store == .store(StoreRequest(cache: "c", prompt: sent, response: Array("r".utf8))))
    }

    private static let chat = [CacheChatMessage(role: "user", content: "q")]

    static let targets: [(target: InvalidationTarget, cache: String?, expected: InvalidateRequest)] = [
        (
            .chat(chat, vary: ["v": "1"]), nil,
            InvalidateRequest(
                cache: "default",
                selector: .exactPrompt(
                    .chat([ChatMessage(role: "user", content: "q")]), vary: [VaryPart(name: "v", value: "1")]))
        ),
        (
            .similarChat(to: chat, similarity: 0.5), "c",
            InvalidateRequest(
                cache: "c",
                selector: .semanticRadius(
                    .chat([ChatMessage(role: "user", content: "q")]), vary: [], similarity: 0.5, embedding: nil))
        ),
        (
            .filter(" not  draft"), "c",
            InvalidateRequest(cache: "c", selector: .filter(try! MetadataFilter("not draft")))
        ),
        (.tags(["a", "b"]), "c", InvalidateRequest(cache: "c", selector: .tags(["a", "b"]))),
        (.wholeCache, nil, InvalidateRequest(cache: "default", selector: .wholeCache)),
        (
            .wholeTenant(confirming: "acme"), nil,
            InvalidateRequest(cache: "", selector: .wholeTenant(confirmation: "acme"))
        ),
    ]

    @Test(arguments: targets.indices)
    func `a target is sent as what it says`(index: Int) async throws {
        let (target, cache, expected) = Self.targets[index]
        let outcome = InvalidateOutcome(count: 0, sample: [], isDryRun: false)
        let (request, _) = try await self.exchange(.success(.invalidate(outcome))) { client in
            try await client.invalidate(target, in: cache)
        }
        #expect(request == .invalidate(expected))
    }

    @Test func `statistics have the tenant and what is new of a cache`() async throws {
        var statistics = ServiceStatistics()
        statistics.tenant.entries = 3
        statistics.tenant.maximumEntries = 10
        statistics.tenant.refusedByRate = 7
        statistics.caches = [CacheStatistics(cache: "c")]
        statistics.caches[0].missesFiltered = 2
        statistics.caches[0].bypasses = 5
        statistics.caches[0].evictedEntries = 4
        let (_, answer) = try await self.exchange(.success(.stats(statistics))) { try await $0.statistics() }
        let found = try answer.get()
        #expect(found.tenant.entries == 3 && found.tenant.refusedByRate == 7)
        #expect(found.tenant.maximumEntries == 10 && found.tenant.maximumBytes == nil)
        let cache = try #require(found.caches.first)
        #expect(cache.missesFiltered == 2 && cache.misses == 2 && cache.bypasses == 5 && cache.evictedEntries == 4)
    }

    @Test func `a store sends the entry whole`() async throws {
        let outcome = StoreOutcome(id: Self.id, expiresAt: Timestamp(milliseconds: 5), isReplacement: true)
        let (request, receipt) = try await self.exchange(.success(.store(outcome))) { client in
            try await client.store(
                "an answer", for: "q", in: "c", attributes: ["n": 1], tags: ["doc"], timeToLive: .seconds(2))
        }
        guard case .store(let store) = request else { throw Unexpected("no store") }
        #expect(store.response == Array("an answer".utf8))
        #expect(store.contentType == CacheEntry.defaultContentType)
        #expect(store.timeToLive == .seconds(2))
        #expect(Set(store.attributes.map { $0.name }) == ["n", "tags"])
        #expect(try receipt.get().isReplacement)
        #expect(try receipt.get().expiresAt == CacheInstant(milliseconds: 5))
    }

    @Test func `an invalidation names its target`() async throws {
        let outcome = InvalidateOutcome(count: 7, sample: [Self.id], isDryRun: true)
        let (request, receipt) = try await self.exchange(.success(.invalidate(outcome))) { client in
            try await client.invalidate(.similar(to: "q", similarity: 0.5), in: "c", isDryRun: true)
        }
        let selector = InvalidateRequest.Selector.semanticRadius(
            .text(try CanonicalPrompt("q")), vary: [], similarity: 0.5, embedding: nil)
        #expect(request == .invalidate(InvalidateRequest(cache: "c", selector: selector, isDryRun: true)))
        #expect(try receipt.get().count == 7)
        #expect(try receipt.get().sample.map { $0.description } == [Self.id.description])
    }

    @Test func `an error of the server comes with its code, message and field`() async throws {
        let error = CacheError(.notFound, "no such cache", field: "cache", retryAfter: .milliseconds(250))
        let (_, answer) = try await self.exchange(.failure(error)) { try await $0.lookup("q", in: "c") }
        let expected = CacheClientError(
            .notFound, "no such cache", field: "cache", origin: .server, retryAfter: .milliseconds(250))
        #expect(throws: expected) { try answer.get() }
    }

    @Test func `an answer of another kind is an error`() async throws {
        let (_, answer) = try await self.exchange(.success(.ping(serverVersion: "1"))) { try await $0.lookup("q") }
        let error = #expect(throws: CacheClientError.self) { try answer.get() }
        #expect(error?.code == .internal)
    }

    /// Nothing listens: a call that would be sent fails with another code.
    @Test func `what no message can hold is refused before it is sent`() async throws {
        let address = try await ScriptedServer.addressOfNobody()
        let client = CacheClient(ClientConfiguration(address))
        let strings = CacheAttribute.strings(Array(repeating: String(repeating: "x", count: 4096), count: 256))
        let large = Dictionary(uniqueKeysWithValues: (0..<60).map { ("name \($0)", strings) })
        let id = try #require(CacheEntryID("00000000000000000000000000000001"))
        let failures = [
            await failure { try await client.lookup(" \n ") },
            await failure { try await client.lookup(String(repeating: "x", count: 65_537)) },
            await failure { try await client.lookup("a\0b") },
            await failure { try await client.lookup("q", topK: -1) },
            // An empty filter is not no filter.
            await failure { try await client.lookup("q", filter: "") },
            await failure { try await client.lookup("q", filter: "lang =") },
            await failure { try await client.lookup([]) },
            await failure { try await client.lookup(Array(repeating: Self.chat[0], count: 1001)) },
            await failure {
                try await client.lookup([.init(role: "user", content: String(repeating: "x", count: 1_048_577))])
            },
            await failure {
                try await client.lookup([.init(role: String(repeating: "x", count: 5 << 20), content: "q")])
            },
            await failure { try await client.store("r", for: []) },
            await failure { try await client.invalidate(.filter(" ")) },
            await failure { try await client.invalidate(.tags([])) },
            await failure { try await client.invalidate(.tags(Array(repeating: "t", count: 257))) },
            await failure { try await client.invalidate(.tags([String(repeating: "x", count: 5 << 20)])) },
            await failure { try await client.invalidate(.wholeTenant(confirming: "acme"), in: "c") },
            await failure {
                try await client.invalidate(.wholeTenant(confirming: String(repeating: "x", count: 5 << 20)))
            },
            await failure { try await client.lookup("q", maximumAge: .seconds(-1)) },
            await failure { try await client.store("r", for: "q", timeToLive: .zero) },
            await failure { try await client.store("r", for: "q", attributes: large) },
            await failure { try await client.store("r", for: "q", attributes: ["tags": ["a"]], tags: ["b"]) },
            await failure { try await client.store([UInt8](repeating: 1, count: 5 << 20), for: "q") },
            // Small on the wire, and large as structures.
            await failure { try await client.store("r", for: "q", tags: Array(repeating: "", count: 524_000)) },
            await failure {
                let parts = Dictionary(uniqueKeysWithValues: (0..<145_000).map { (String($0), "") })
                _ = try await client.lookup("q", vary: parts)
            },
            await failure { try await client.invalidate(.entries([])) },
            await failure { try await client.invalidate(.entries(Array(repeating: id, count: 10_001))) },
        ]
        #expect(failures.map { $0?.code } == Array(repeating: .invalidArgument, count: failures.count))
        await client.close()
    }

    @Test func `the limits of the server are kept`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let failures = [
                failure { try await client.lookup(String(repeating: "x", count: 101)) },
                failure { try await client.store(String(repeating: "x", count: 201), for: "q") },
                failure { try await client.store("r", for: "q", vary: ["v": String(repeating: "x", count: 400)]) },
            ]
            let peer = try await server.nextPeer()
            var welcome = Welcome(version: 1, serverVersion: "1", embeddingDimensions: 4)
            welcome.maximumPromptBytes = 100
            welcome.maximumResponseBytes = 200
            welcome.maximumFrameBytes = 300
            peer.send(.welcome(welcome))
            #expect(await failures.map { $0?.code } == [.invalidArgument, .invalidArgument, .invalidArgument])
            _ = try await peer.hello()
            async let ping = client.ping()
            peer.answer(try await peer.call())
            _ = try await ping
            await client.close()
        }
    }
}
