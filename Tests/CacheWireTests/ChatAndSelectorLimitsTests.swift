// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

/// Chats, filters and what else selects entries without a prompt.
@Suite struct ChatAndSelectorLimitsTests {
    private static let named = ProtobufBytes().text(1, "c")
    private static func chat(_ count: Int, _ message: ProtobufBytes = .said()) -> ProtobufBytes {
        .lookup(self.named.repeated(count) { $0.message(10, message) })
    }
    private static func content(_ bytes: [UInt8]) -> ProtobufBytes { ProtobufBytes().text(1, "user").data(2, bytes) }
    private static func letters(_ count: Int) -> [UInt8] { Array(repeating: 0x61, count: count) }

    private static func request(_ message: ProtobufBytes) throws -> Result<ServiceRequest, CacheError> {
        guard case .call(let call) = try ClientMessageDecoder().decode(message.bytes) else {
            throw CacheError(.internal, "not a call")
        }
        return call.request
    }

    static let refusals: [Refusal] = [
        Refusal(
            .lookup(.asking().message(10, .said())), "messages is given besides prompt; give one of the two",
            field: "messages"),
        Refusal(
            .store(.asking().text(4, "r").message(11, .said())),
            "messages is given besides prompt; give one of the two", field: "messages"),
        Refusal(
            .invalidate(named.message(3, ProtobufBytes().text(1, "p").message(3, .said()))),
            "messages is given besides prompt; give one of the two", field: "messages"),
        Refusal(
            .invalidate(named.message(4, ProtobufBytes().text(1, "p").message(5, .said()))),
            "messages is given besides prompt; give one of the two", field: "messages"),
        Refusal(.invalidate(named.message(3)), "prompt is empty", field: "prompt"),
        Refusal(chat(1001), "messages has 1001 elements, the limit is 1000", field: "messages"),
        Refusal(chat(1, ProtobufBytes()), "messages.role is empty", field: "messages.role"),
        Refusal(
            chat(1, content([0x61, 0xc3, 0x28])), "messages.content is not valid UTF-8", field: "messages.content"),
        Refusal(chat(1, content([0x61, 0])), "messages.content contains a NUL", field: "messages.content"),
        Refusal(
            chat(1, content(letters((1 << 20) + 1))), "messages has 1048577 bytes, the limit is 1048576",
            field: "messages"),
        Refusal(
            chat(5, content(letters(1 << 18))), "messages has 1310720 bytes, the limit is 1048576", field: "messages"),
        Refusal(
            .invalidate(named.text(6, "")), "filter is empty: it would mean everything, which whole_cache says",
            field: "filter"),
        Refusal(.invalidate(named.message(7)), "tags is empty", field: "tags"),
        Refusal(
            .invalidate(named.message(7, ProtobufBytes().text(1, "a").text(1, ""))), "tags is empty", field: "tags"),
        Refusal(
            .invalidate(named.message(7, ProtobufBytes().repeated(257) { $0.text(1, "t") })),
            "tags has 257 elements, the limit is 256", field: "tags"),
        Refusal(
            .invalidate(named.message(8, ProtobufBytes().text(1, "acme"))),
            "cache is given, but the whole tenant is to be removed", field: "cache"),
        Refusal(.invalidate(ProtobufBytes().message(8)), "confirm_tenant is empty", field: "confirm_tenant"),
        Refusal(.invalidate(ProtobufBytes().text(6, "draft")), "cache is empty", field: "cache"),
        Refusal(
            .invalidate(ProtobufBytes().message(7, ProtobufBytes().text(1, "t"))), "cache is empty", field: "cache"),
    ]

    @Test(arguments: refusals)
    func `a request that cannot be served is refused with its field`(refusal: Refusal) throws {
        #expect(
            try Self.request(refusal.request)
                == .failure(CacheError(refusal.code, refusal.message, field: refusal.field)))
    }

    @Test func `a chat at its limits is accepted`() throws {
        let many = try Self.request(Self.chat(1000)).get()
        let large = try Self.request(Self.chat(4, Self.content(Self.letters(1 << 18)))).get()
        guard case .lookup(let first) = many, case .chat(let messages) = first.prompt,
            case .lookup(let second) = large, case .chat(let contents) = second.prompt
        else {
            Issue.record("not chats")
            return
        }
        #expect(messages.count == 1000 && contents.count == 4)
    }

    @Test(arguments: [
        " ", "\n\t", "()", "lang =", "lang == \"de\" extra", "*", "draft) or (draft", "and", "lang == 'de'", "in []",
    ])
    func `a filter that is none is refused, not left out`(text: String) throws {
        for message in [
            ProtobufBytes.lookup(.asking().text(9, text)), .invalidate(ProtobufBytes().text(1, "c").text(6, text)),
        ] {
            guard case .failure(let error) = try Self.request(message) else {
                Issue.record("accepted")
                continue
            }
            #expect(error.code == .invalidArgument && error.field == "filter")
        }
    }

    @Test func `a filter that is too long, not UTF-8, or holds a NUL is refused`() throws {
        for bytes in [Self.letters(Limits.maximumFilterBytes + 1), [0xff], [0x61, 0]] {
            for message in [
                ProtobufBytes.lookup(.asking().data(9, bytes)), .invalidate(Self.named.data(6, bytes)),
            ] {
                guard case .failure(let error) = try Self.request(message) else {
                    Issue.record("accepted")
                    continue
                }
                #expect(error.field == "filter")
            }
        }
    }

    @Test func `no filter and an empty one are the same for a lookup`() throws {
        #expect(try Self.request(.lookup(.asking().text(9, ""))) == Self.request(.lookup(.asking())))
    }
}
