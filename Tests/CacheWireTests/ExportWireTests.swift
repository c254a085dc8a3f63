// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

@Suite struct ExportWireTests {
    private static func request(_ fields: ProtobufBytes) throws -> Result<ServiceRequest, CacheError> {
        guard case .call(let call) = try ClientMessageDecoder().decode(ProtobufBytes.call(13, fields).bytes) else {
            throw CacheError(.internal, "not a call")
        }
        return call.request
    }

    @Test func `a request is written and read as the schema says`() throws {
        let request = ExportRequest(
            cache: "faq", filter: try MetadataFilter("draft"), cursor: [0, 255], pageSize: 3)
        let fields = ProtobufBytes().text(1, "faq").text(2, "draft").data(3, [0, 255]).varint(4, 3)
        let call = Call(id: 1, request: .success(.export(request)))
        #expect(Encoded().body(of: .call(call)) == ProtobufBytes.call(13, fields).bytes)
        #expect(
            try Self.request(ProtobufBytes().text(1, "faq")) == .success(.export(ExportRequest(cache: "faq"))))
    }

    @Test func `a page is written as the schema says, and no vary parts are not unknown ones`() throws {
        let context = Fingerprint(.context).finish()
        func entry(_ low: UInt64) throws -> CacheEntry {
            CacheEntry(
                id: EntryID(high: 0, low: low), prompt: try CanonicalPrompt("why?"), response: [0xff],
                contentType: "t", attributes: [Attribute(name: "n", value: .boolean(true))],
                usage: Usage(promptTokens: 1, completionTokens: 0, cost: 0), createdAt: Timestamp(milliseconds: 5),
                expiresAt: Timestamp(milliseconds: 6))
        }
        let page = ExportPage(
            entries: [
                ExportedEntry(entry: try entry(1), vary: [VaryPart(name: "v", value: "w")], context: context),
                ExportedEntry(entry: try entry(2), vary: [], context: nil),
                ExportedEntry(entry: try entry(3), vary: nil, context: nil),
            ], cursor: [9])
        func fields(_ low: String, _ vary: ProtobufBytes?, _ context: [UInt8] = []) -> ProtobufBytes {
            var fields = ProtobufBytes().text(1, String(repeating: "0", count: 31) + low).text(2, "why?")
            if let vary { fields = fields.message(3, vary) }
            if !context.isEmpty { fields = fields.data(4, context) }
            return fields.data(5, [0xff]).text(6, "t").message(7, ProtobufBytes().text(1, "n").varint(4, 1))
                .message(8, ProtobufBytes().varint(1, 1)).varint(9, 5).varint(10, 6)
        }
        let named = ProtobufBytes().message(1, ProtobufBytes().text(1, "v").text(2, "w"))
        let response = ProtobufBytes().message(1, fields("1", named, context.bytes))
            .message(1, fields("2", ProtobufBytes())).message(1, fields("3", nil)).data(2, [9])
        let body = Encoded().body(of: .reply(Reply(id: 1, result: .success(.export(page)))))
        #expect(body == ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(13, response)).bytes)
        #expect(try ServerMessageDecoder().decode(body) == .reply(Reply(id: 1, result: .success(.export(page)))))
    }

    @Test func `a request that cannot be served is refused with its field`() throws {
        let cache = ProtobufBytes().text(1, "c")
        let refusals = [
            (ProtobufBytes(), "cache"), (cache.text(2, "*"), "filter"), (cache.varint(4, 257), "page_size"),
            (cache.varint(4, 0xffff_ffff), "page_size"),
            (cache.data(3, Array(repeating: 1, count: 257)), "cursor"),
        ]
        for (fields, field) in refusals {
            guard case .failure(let error) = try Self.request(fields) else {
                Issue.record("accepted")
                continue
            }
            #expect(error.code == .invalidArgument && error.field == field)
        }
        #expect(throws: Never.self) { try Self.request(cache.varint(4, 256)).get() }
    }

    @Test func `the largest entry that can be stored fits into a reply`() throws {
        let text = { (count: Int) in String(repeating: "x", count: count) }
        let room = MatchSize.limit - Limits.maximumResponseBytes - 256
        let strings = Array(repeating: text(4096), count: room / (4096 + 24) - 1)
        let attributes = stride(from: 0, to: strings.count, by: 256).map { start in
            Attribute(name: "\(start)", value: .strings(Array(strings[start..<min(strings.count, start + 256)])))
        }
        let vary = (10..<42).map { VaryPart(name: "\($0)" + text(126), value: text(4096)) }
        let entry = CacheEntry(
            id: EntryID(high: 0, low: 1), prompt: try CanonicalPrompt(text(Limits.maximumPromptBytes)),
            response: Array(repeating: 0, count: Limits.maximumResponseBytes), contentType: "",
            attributes: attributes,
            usage: Usage(promptTokens: .max, completionTokens: .max, cost: 1),
            createdAt: Timestamp(milliseconds: .max - 1), expiresAt: Timestamp(milliseconds: .max))
        let exported = ExportedEntry(entry: entry, vary: vary, context: Fingerprint(.context).finish())
        let page = ExportPage(entries: [exported], cursor: Array(repeating: 1, count: Limits.maximumCursorBytes))
        let body = Encoded().body(of: .reply(Reply(id: .max, result: .success(.export(page)))))
        #expect(body.count <= Limits.maximumFrameBytes && body.count <= exported.replyBytes + 1000)
        #expect(throws: Never.self) { try ServerMessageDecoder().decode(body) }
    }
}
