// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

@Suite struct ExportTests {
    private let fixture = EngineFixture()

    private func page(
        _ cursor: [UInt8]? = nil, cache: String = "c", filter: String? = nil, size: Int = 2, scope: TenantScope? = nil
    ) async throws -> ExportPage {
        let request = ExportRequest(
            cache: cache, filter: try filter.map { try MetadataFilter($0) }, cursor: cursor, pageSize: size)
        return try await self.fixture.engine.export(request, scope: scope ?? self.fixture.scope)
    }

    private func code(
        _ cursor: [UInt8], cache: String = "c", scope: TenantScope? = nil
    ) async -> (CacheError.Code, String?)? {
        do {
            _ = try await self.page(cursor, cache: cache, scope: scope)
            return nil
        } catch {
            return (error as? CacheError).map { ($0.code, $0.field) }
        }
    }

    @Test func `an entry is told with its question, vary parts and context, and pages follow each other`() async throws
    {
        let vary = [VaryPart(name: "model", value: "m"), VaryPart(name: "group", value: "g")]
        for number in 0..<4 { try await self.fixture.store("  question   \(number)", "answer \(number)", vary: vary) }
        let chat = [ChatMessage(role: "system", content: "be kind"), ChatMessage(role: "user", content: "why")]
        _ = try await self.fixture.engine.store(
            StoreRequest(cache: "c", prompt: .chat(chat), response: [1]), scope: self.fixture.scope,
            by: .now + .seconds(30))
        var (cursor, all) = ([UInt8]?.none, [ExportedEntry]())
        repeat {
            let page = try await self.page(cursor)
            #expect(page.entries.count <= 2)
            all += page.entries
            cursor = page.cursor
        } while cursor != nil
        let (plain, chats) = (all.filter { $0.context == nil }, all.filter { $0.context != nil })
        #expect(Set(plain.map { $0.entry.prompt?.text }) == Set((0..<4).map { "question \($0)" }))
        #expect(plain.allSatisfy { $0.vary == vary.sorted() })
        #expect(chats.map { $0.entry.prompt?.text } == ["why"] && chats[0].vary == [] && chats[0].entry.response == [1])
    }

    @Test func `a cursor is good for its cache only, and every other byte string is refused`() async throws {
        let other = TenantScope(authenticated: TenantID("rival"))
        for number in 0..<3 {
            for cache in ["c", "d"] {
                for scope in [self.fixture.scope, other] {
                    try await self.fixture.store("q\(number)", "r", cache: cache, scope: scope)
                }
            }
        }
        let cursor = try #require(try await self.page().cursor)
        #expect(await self.code(cursor) == nil)
        for (cache, scope) in [("d", self.fixture.scope), ("c", other), ("d", other)] {
            let refusal = try #require(await self.code(cursor, cache: cache, scope: scope))
            #expect(refusal.0 == .invalidArgument && refusal.1 == "cursor")
        }
        for position in cursor.indices {
            var changed = cursor
            changed[position] ^= 1
            #expect(await self.code(changed)?.0 == .invalidArgument)
        }
        for length in 0..<cursor.count { #expect(await self.code(Array(cursor.prefix(length)))?.0 == .invalidArgument) }
        #expect(await self.code(cursor + [0])?.0 == .invalidArgument)
    }

    @Test func `a store that fails is an error, and a cache that is not there is not found`() async throws {
        self.fixture.store.hook { operation, _ in
            operation == .scan ? VectorStoreError(.overloaded, "too much") : nil
        }
        await #expect(throws: CacheError.self) { try await self.page() }
        self.fixture.store.hook(nil)
        let closed = EngineFixture(directory: TenantDirectory(undeclared: nil))
        await #expect(throws: CacheError.self) {
            try await closed.engine.export(ExportRequest(cache: "c"), scope: closed.scope)
        }
    }
}
