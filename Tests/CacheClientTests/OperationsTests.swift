// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import Testing

/// What the operations send, and what they make of the answers.
@Suite(.timeLimit(.minutes(1)))
struct OperationsTests {
    private static let id = EntryID(high: 1, low: 2)

    /// Makes one call against a server that answers it, and gives back what it was asked.
    private func exchange<Value: Sendable>(
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
                "  a  question ", in: "support", vary: ["model": "small"], similarityThreshold: 0.75, topK: 3,
                maximumAge: .seconds(60), mode: .semantic, embedding: [1, 0])
        }
        let expected = LookupRequest(
            cache: "support", prompt: try CanonicalPrompt("a question"),
            vary: [VaryPart(name: "model", value: "small")], similarityThreshold: 0.75, topK: 3,
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
            try CanonicalPrompt("q"), vary: [], similarity: 0.5, embedding: nil)
        #expect(request == .invalidate(InvalidateRequest(cache: "c", selector: selector, isDryRun: true)))
        #expect(try receipt.get().count == 7)
        #expect(try receipt.get().sample.map { $0.description } == [Self.id.description])
    }

    @Test func `an error of the server comes with its code, message and field`() async throws {
        let error = CacheError(.notFound, "no such cache", field: "cache")
        let (_, answer) = try await self.exchange(.failure(error)) { try await $0.lookup("q", in: "c") }
        let expected = CacheClientError(.notFound, "no such cache", field: "cache", origin: .server)
        #expect(throws: expected) { try answer.get() }
    }

    @Test func `an answer of another kind is an error`() async throws {
        let (_, answer) = try await self.exchange(.success(.ping(serverVersion: "1"))) { try await $0.lookup("q") }
        let error = #expect(throws: CacheClientError.self) { try answer.get() }
        #expect(error?.code == .internal)
    }

    /// Nothing listens: a call that would be sent fails with another code.
    @Test func `what no message can hold is refused before it is sent`() async throws {
        let address = try await ScriptedServer.withServer { $0.address }
        let client = CacheClient(ClientConfiguration(address))
        let strings = CacheAttribute.strings(Array(repeating: String(repeating: "x", count: 4096), count: 256))
        let large = Dictionary(uniqueKeysWithValues: (0..<60).map { ("name \($0)", strings) })
        let id = try #require(CacheEntryID("00000000000000000000000000000001"))
        let failures = [
            await failure { try await client.lookup(" \n ") },
            await failure { try await client.lookup(String(repeating: "x", count: 65_537)) },
            await failure { try await client.lookup("a\0b") },
            await failure { try await client.lookup("q", topK: -1) },
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
