// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

/// A request that must be refused, and how.
struct Refusal: Sendable, CustomTestStringConvertible {
    let request: ProtobufBytes
    let message: String
    let field: String
    let code: CacheError.Code

    init(_ request: ProtobufBytes, _ message: String, field: String, code: CacheError.Code = .invalidArgument) {
        self.request = request
        self.message = message
        self.field = field
        self.code = code
    }

    var testDescription: String { self.message }
}

@Suite struct RequestLimitsTests {
    private static let notUTF8: [UInt8] = [0x61, 0xc3, 0x28]
    private static func letters(_ count: Int) -> [UInt8] { Array(repeating: 0x61, count: count) }

    /// Every text field: how a request is made that has it, and its limit.
    private static let texts: [(field: String, limit: Int, make: @Sendable ([UInt8]) -> ProtobufBytes)] = [
        ("cache", 128, { .lookup(ProtobufBytes().data(1, $0).text(2, "p")) }),
        ("cache", 128, { .store(ProtobufBytes().data(1, $0).text(2, "p").text(4, "r")) }),
        ("cache", 128, { .invalidate(ProtobufBytes().data(1, $0).message(5)) }),
        ("cache", 128, { .call(11, ProtobufBytes().data(1, $0)) }),
        ("prompt", 65536, { .lookup(ProtobufBytes().text(1, "c").data(2, $0)) }),
        ("prompt", 65536, { .store(ProtobufBytes().text(1, "c").data(2, $0).text(4, "r")) }),
        ("prompt", 65536, { .invalidate(ProtobufBytes().text(1, "c").message(3, ProtobufBytes().data(1, $0))) }),
        (
            "prompt", 65536,
            { .invalidate(ProtobufBytes().text(1, "c").message(4, ProtobufBytes().data(1, $0).float(3, 0.9))) }
        ),
        ("vary.name", 128, { .lookup(.asking().message(3, ProtobufBytes().data(1, $0).text(2, "v"))) }),
        ("vary.value", 4096, { .lookup(.asking().message(3, ProtobufBytes().text(1, "n").data(2, $0))) }),
        ("vary.name", 128, { .store(.asking().text(4, "r").message(3, ProtobufBytes().data(1, $0).text(2, "v"))) }),
        (
            "vary.value", 4096,
            {
                .invalidate(
                    ProtobufBytes().text(1, "c").message(
                        3, ProtobufBytes().text(1, "p").message(2, ProtobufBytes().text(1, "n").data(2, $0))))
            }
        ),
        ("content_type", 256, { .store(.asking().text(4, "r").data(5, $0)) }),
        (
            "attributes.name", 64,
            { .store(.asking().text(4, "r").message(6, ProtobufBytes().data(1, $0).varint(4, 1))) }
        ),
        (
            "attributes.string", 4096,
            { .store(.asking().text(4, "r").message(6, ProtobufBytes().text(1, "a").data(2, $0))) }
        ),
        (
            "attributes.strings", 4096,
            {
                .store(
                    .asking().text(4, "r").message(
                        6, ProtobufBytes().text(1, "a").message(5, ProtobufBytes().data(1, $0))))
            }
        ),
        ("tags", 4096, { .store(.asking().text(4, "r").data(7, $0)) }),
        ("messages.role", 64, { .lookup(ProtobufBytes().text(1, "c").message(10, ProtobufBytes().data(1, $0))) }),
        (
            "messages.role", 64,
            { .store(ProtobufBytes().text(1, "c").text(4, "r").message(11, ProtobufBytes().data(1, $0))) }
        ),
        ("tags", 4096, { .invalidate(ProtobufBytes().text(1, "c").message(7, ProtobufBytes().data(1, $0))) }),
        ("confirm_tenant", 512, { .invalidate(ProtobufBytes().message(8, ProtobufBytes().data(1, $0))) }),
        ("tenant", 512, { ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).data(4, $0).message(12)) }),
        ("traceparent", 256, { ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).data(3, $0).message(12)) }),
    ]

    private static func refused(_ request: ProtobufBytes) throws -> CacheError {
        guard case .call(let call) = try ClientMessageDecoder().decode(request.bytes) else {
            throw CacheError(.internal, "not a call")
        }
        #expect(call.id == 1)
        guard case .failure(let error) = call.request else { throw CacheError(.internal, "the call was not refused") }
        return error
    }

    @Test(arguments: texts.indices)
    func `a text over its limit is refused with the field, its size and the limit`(index: Int) throws {
        let (field, limit, make) = Self.texts[index]
        let error = try Self.refused(make(Self.letters(limit + 1)))
        #expect(
            error
                == CacheError(.invalidArgument, "\(field) has \(limit + 1) bytes, the limit is \(limit)", field: field))
    }

    @Test(arguments: texts.indices)
    func `a text at its limit is accepted`(index: Int) throws {
        let (_, limit, make) = Self.texts[index]
        guard case .call(let call) = try ClientMessageDecoder().decode(make(Self.letters(limit)).bytes) else {
            Issue.record("not a call")
            return
        }
        #expect(throws: Never.self) { try call.request.get() }
    }

    @Test(arguments: texts.indices)
    func `a text that is not UTF-8 is refused`(index: Int) throws {
        let (field, _, make) = Self.texts[index]
        for bytes in [
            Self.notUTF8, [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82],
        ] {
            let error = try Self.refused(make(bytes))
            #expect(error == CacheError(.invalidArgument, "\(field) is not valid UTF-8", field: field))
        }
    }

    @Test(arguments: texts.indices)
    func `a NUL in a text is refused, not cut at`(index: Int) throws {
        let (field, _, make) = Self.texts[index]
        for bytes in [[0], [0x61, 0, 0x62], [0x61, 0]] as [[UInt8]] {
            let error = try Self.refused(make(bytes))
            #expect(error == CacheError(.invalidArgument, "\(field) contains a NUL", field: field))
        }
    }

    private static let stored = ProtobufBytes.asking().text(4, "r")
    private static func part(_ fields: ProtobufBytes, _ name: String) -> ProtobufBytes {
        fields.message(3, ProtobufBytes().text(1, name).text(2, "v"))
    }

    static let refusals: [Refusal] = [
        Refusal(.lookup(ProtobufBytes().text(2, "p")), "cache is empty", field: "cache"),
        Refusal(.lookup(ProtobufBytes().text(1, "c")), "prompt is empty", field: "prompt"),
        Refusal(.lookup(.asking(" \u{a0}\n")), "prompt is empty", field: "prompt"),
        Refusal(
            .lookup(.asking().repeated(33) { part($0, "n") }), "vary has 33 elements, the limit is 32", field: "vary"),
        Refusal(.lookup(.asking().message(3)), "vary.name is empty", field: "vary.name"),
        Refusal(
            .lookup(part(part(.asking(), "n"), "n")), "vary has the same name twice", field: "vary"),
        Refusal(.lookup(.asking().varint(5, 101)), "top_k is 101, the limit is 100", field: "top_k"),
        Refusal(.lookup(.asking().varint(5, 0xffff_ffff)), "top_k is 4294967295, the limit is 100", field: "top_k"),
        Refusal(.lookup(.asking().varint(7, 3)), "mode is unknown", field: "mode"),
        Refusal(.lookup(.asking().varint(7, UInt64.max)), "mode is unknown", field: "mode"),
        Refusal(
            .lookup(.asking().message(8, ProtobufBytes().floats(1, Array(repeating: 1, count: 4097)))),
            "embedding has 4097 elements, the limit is 4096", field: "embedding"),
        Refusal(.store(.asking()), "response is empty", field: "response"),
        Refusal(
            .store(.asking().data(4, letters((2 << 20) + 1))), "response has 2097153 bytes, the limit is 2097152",
            field: "response"),
        Refusal(
            .store(stored.repeated(65) { $0.message(6, ProtobufBytes().text(1, "a").varint(4, 1)) }),
            "attributes has 65 elements, the limit is 64", field: "attributes"),
        Refusal(
            .store(stored.message(6, ProtobufBytes().varint(4, 1))), "attributes.name is empty",
            field: "attributes.name"),
        Refusal(
            .store(stored.message(6, ProtobufBytes().text(1, "a"))), "attributes has an attribute without a value",
            field: "attributes"),
        Refusal(
            .store(
                stored.message(
                    6, ProtobufBytes().text(1, "a").message(5, ProtobufBytes().repeated(257) { $0.text(1, "") }))),
            "attributes.strings has 257 elements, the limit is 256", field: "attributes.strings"),
        Refusal(
            .store(stored.repeated(2) { $0.message(6, ProtobufBytes().text(1, "a").varint(4, 1)) }),
            "attributes has the same name twice (tags are the attribute \"tags\")", field: "attributes"),
        Refusal(
            .store(stored.message(6, ProtobufBytes().text(1, "tags").varint(4, 1)).text(7, "t")),
            "attributes has the same name twice (tags are the attribute \"tags\")", field: "attributes"),
        Refusal(
            .store(stored.repeated(257) { $0.text(7, "t") }), "tags has 257 elements, the limit is 256", field: "tags"),
        Refusal(.store(stored.varint(8, 0)), "ttl_ms is 0; it must be 1 to 315360000000", field: "ttl_ms"),
        Refusal(
            .store(stored.varint(8, 315_360_000_001)), "ttl_ms is 315360000001; it must be 1 to 315360000000",
            field: "ttl_ms"),
        Refusal(
            .store(stored.varint(8, UInt64.max)), "ttl_ms is \(UInt64.max); it must be 1 to 315360000000",
            field: "ttl_ms"),
        Refusal(
            .invalidate(ProtobufBytes().text(1, "c")), "selector is missing; nothing is removed without one",
            field: "selector"),
        Refusal(.invalidate(ProtobufBytes().message(5)), "cache is empty", field: "cache"),
        Refusal(.invalidate(ProtobufBytes().text(1, "c").message(2)), "entry_ids is empty", field: "entry_ids"),
        Refusal(
            .invalidate(ProtobufBytes().text(1, "c").message(2, ProtobufBytes().repeated(10_001) { $0.text(1, "") })),
            "entry_ids has 10001 elements, the limit is 10000", field: "entry_ids"),
        Refusal(
            .call(63, ProtobufBytes()), "the call names no request that this server knows", field: "",
            code: .unimplemented),
        Refusal(
            ProtobufBytes().message(2, ProtobufBytes().varint(1, 1)),
            "the call names no request that this server knows",
            field: "", code: .unimplemented),
    ]

    @Test(arguments: refusals)
    func `a request that cannot be served is refused with its field`(refusal: Refusal) throws {
        let error = try Self.refused(refusal.request)
        #expect(error == CacheError(refusal.code, refusal.message, field: refusal.field.isEmpty ? nil : refusal.field))
    }

    @Test(arguments: [Float.nan, -.nan, .infinity, -.infinity, 1.0001, -1.0001, .greatestFiniteMagnitude])
    func `a similarity that is no cosine is refused`(value: Float) throws {
        #expect(
            try Self.refused(.lookup(.asking().float(4, value)))
                == .invalidArgument("similarity_threshold", "is not a number from -1 to 1"))
        let radius = ProtobufBytes().text(1, "p").float(3, value)
        #expect(
            try Self.refused(.invalidate(ProtobufBytes().text(1, "c").message(4, radius)))
                == .invalidArgument("semantic_radius.similarity", "is not a number from -1 to 1"))
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func `a number that is not finite is refused`(value: Double) throws {
        #expect(
            try Self.refused(.store(Self.stored.message(6, ProtobufBytes().text(1, "a").double(3, value))))
                == .invalidArgument("attributes.number", "is not finite"))
        #expect(
            try Self.refused(.store(Self.stored.message(10, ProtobufBytes().double(3, value))))
                == .invalidArgument("usage.cost", "is not a finite number of at least 0"))
    }

    @Test func `a cost below zero is refused`() throws {
        #expect(
            try Self.refused(.store(Self.stored.message(10, ProtobufBytes().double(3, -0.01))))
                == .invalidArgument("usage.cost", "is not a finite number of at least 0"))
    }

    @Test(arguments: [
        "", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
        "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcde\0", "gggggggggggggggggggggggggggggggg",
    ])
    func `an entry id that is none is refused`(text: String) throws {
        let request = ProtobufBytes().text(1, "c").message(2, ProtobufBytes().text(1, text))
        #expect(
            try Self.refused(.invalidate(request))
                == .invalidArgument("entry_ids", "has an id that is not 32 lower-case hexadecimal digits"))
    }

    @Test func `names that look the same and differ in bytes are two names`() throws {
        // é composed and decomposed: equal as strings, not as bytes, and the fingerprint is over bytes.
        let request = Self.part(Self.part(.asking(), "\u{e9}"), "e\u{301}")
        guard case .call(let call) = try ClientMessageDecoder().decode(ProtobufBytes.lookup(request).bytes),
            case .success(.lookup(let lookup)) = call.request
        else {
            Issue.record("refused")
            return
        }
        #expect(lookup.vary.map { Array($0.name.utf8) } == [[0xc3, 0xa9], [0x65, 0xcc, 0x81]])
    }

    /// A store of a response of the largest size and of so many strings as attributes.
    private static func large(_ strings: Int) -> ProtobufBytes {
        var fields = ProtobufBytes().text(1, "c").text(2, "p").data(4, Self.letters(Limits.maximumResponseBytes))
        for start in stride(from: 0, to: strings, by: 256) {
            let list = ProtobufBytes().repeated(min(256, strings - start)) { $0.data(1, Self.letters(4000)) }
            fields = fields.message(6, ProtobufBytes().text(1, "\(start)").message(5, list))
        }
        return .store(fields)
    }

    @Test func `an answer that would not fit into a reply's frame is refused when it is stored`() throws {
        var accepted = 0
        for strings in 445...465 {
            let bytes = Self.large(strings).bytes
            #expect(bytes.count <= Limits.maximumFrameBytes)
            guard case .call(let call) = try ClientMessageDecoder().decode(bytes) else { continue }
            switch call.request {
            case .failure(let error):
                #expect(
                    error.field == "attributes"
                        && error.message.hasSuffix(" bytes with the response, the limit is 3932160"))
            case .success(.store(let store)):
                accepted = strings
                let entry = CacheEntry(
                    id: EntryID(high: 1, low: 2), prompt: nil, response: store.response, contentType: store.contentType,
                    attributes: store.attributes, usage: Usage(promptTokens: .max, completionTokens: .max, cost: 1),
                    createdAt: Timestamp(milliseconds: .max - 1), expiresAt: Timestamp(milliseconds: .max))
                let match = LookupMatch(entry: entry, similarity: 1)
                let hit = LookupHit(kind: .exact, tier: .store, matches: [match], at: Timestamp(milliseconds: .max))
                let reply = Encoded().body(of: .reply(Reply(id: .max, result: .success(.lookup(.hit(hit))))))
                #expect(reply.count <= Limits.maximumFrameBytes)
                #expect(throws: Never.self) { try ServerMessageDecoder().decode(reply) }
            default: Issue.record("not a store")
            }
        }
        #expect((446..<465).contains(accepted))
    }
}
