// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import Testing

extension OperationsTests {
    @Test func `a page of an export says all, and where the next begins`() async throws {
        let parts = [VaryPart(name: "model", value: "m"), VaryPart(name: "group", value: "g")]
        let context = Fingerprint(.context).finish()
        let entries = [(parts, nil), ([], context), (nil, nil)] as [([VaryPart]?, Digest?)]
        let twins = ["\u{e9}", "e\u{301}"].map { VaryPart(name: $0, value: "v") }
        let entry = CacheEntry(
            id: Self.id, prompt: try CanonicalPrompt("q"), response: [0xff], contentType: "x",
            attributes: [Attribute(name: "n", value: .number(1))], usage: nil,
            createdAt: Timestamp(milliseconds: 1), expiresAt: Timestamp(milliseconds: 2))
        let page = ExportPage(
            entries: (entries + [(twins, nil)]).map { ExportedEntry(entry: entry, vary: $0.0, context: $0.1) },
            cursor: [0x0a, 0xf0])
        let cursor = try #require(CacheExportCursor("00ff"))
        let (request, answer) = try await self.exchange(.success(.export(page))) { client in
            try await client.export("c", filter: "not draft", after: cursor, pageSize: 9)
        }
        #expect(
            request
                == .export(
                    ExportRequest(cache: "c", filter: try MetadataFilter("not draft"), cursor: [0, 255], pageSize: 9)))
        let found = try answer.get()
        #expect(found.next?.description == "0af0" && found.next == CacheExportCursor("0AF0"))
        #expect(found.entries.map(\.vary) == [["model": "m", "group": "g"], [:], nil, nil])
        #expect(found.entries.map(\.context) == [nil, context.hexadecimal, nil, nil])
        #expect(found.entries[0].prompt == "q" && found.entries[0].text == nil && found.entries[0].response == [0xff])
        #expect(["", "0", "0g", "a f0", "\u{ff10}0"].allSatisfy { CacheExportCursor($0) == nil })
    }
}
