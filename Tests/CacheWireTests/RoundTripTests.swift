// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

@Suite struct RoundTripTests {
    @Test func `a client's message is the same after the wire, to the byte`() throws {
        var random = SeededGenerator(5)
        let encoded = Encoded()
        let decoder = ClientMessageDecoder()
        for _ in 0..<3000 {
            let message = random.clientMessage()
            let bytes = encoded.body(of: message)
            let decoded = try decoder.decode(bytes)
            #expect(decoded == message)
            // Strings are equal up to canonical equivalence; their bytes must be too.
            #expect(encoded.body(of: decoded) == bytes)
        }
    }

    @Test func `a server's message is the same after the wire, to the byte`() throws {
        var random = SeededGenerator(6)
        let encoded = Encoded()
        let decoder = ServerMessageDecoder()
        for _ in 0..<3000 {
            let message = random.serverMessage()
            let bytes = encoded.body(of: message)
            let decoded = try decoder.decode(bytes)
            #expect(decoded == message)
            #expect(encoded.body(of: decoded) == bytes)
        }
    }

    @Test func `a message is written as the schema says`() {
        let lookup = LookupRequest(
            cache: "faq", prompt: .text(try! CanonicalPrompt("why?")), vary: [VaryPart(name: "model", value: "m1")],
            filter: try! MetadataFilter("draft"), similarityThreshold: 0, topK: 3, maximumAge: .zero, mode: .semantic,
            embedding: [1, -0.5])
        let call = Call(
            id: 300, deadline: .milliseconds(250), traceparent: "00-ab", tenant: "acme",
            request: .success(.lookup(lookup)))
        let fields = ProtobufBytes().text(1, "faq").text(2, "why?")
            .message(3, ProtobufBytes().text(1, "model").text(2, "m1"))
            .float(4, 0).varint(5, 3).varint(6, 0).varint(7, 2).message(8, ProtobufBytes().floats(1, [1, -0.5]))
            .text(9, "draft")
        let expected = ProtobufBytes().message(
            2, ProtobufBytes().varint(1, 300).varint(2, 250).text(3, "00-ab").text(4, "acme").message(8, fields))
        #expect(Encoded().body(of: .call(call)) == expected.bytes)
    }

    @Test func `a chat is written as the schema says`() {
        let chat = Prompt.chat([ChatMessage(role: "system", content: ""), ChatMessage(role: "user", content: "why?")])
        let said = { (field: Int) in
            { (fields: ProtobufBytes) in
                fields.message(field, ProtobufBytes().text(1, "system"))
                    .message(field, ProtobufBytes().text(1, "user").text(2, "why?"))
            }
        }
        let requests: [(ServiceRequest, ProtobufBytes)] = [
            (.lookup(LookupRequest(cache: "c", prompt: chat)), .lookup(said(10)(ProtobufBytes().text(1, "c")))),
            (
                .store(StoreRequest(cache: "c", prompt: chat, response: [0x72], contentType: "t")),
                .store(said(11)(ProtobufBytes().text(1, "c").text(4, "r").text(5, "t")))
            ),
            (
                .invalidate(InvalidateRequest(cache: "c", selector: .exactPrompt(chat, vary: []))),
                .invalidate(ProtobufBytes().text(1, "c").message(3, said(3)(ProtobufBytes())))
            ),
            (
                .invalidate(
                    InvalidateRequest(
                        cache: "c", selector: .semanticRadius(chat, vary: [], similarity: 0.5, embedding: nil))),
                .invalidate(ProtobufBytes().text(1, "c").message(4, said(5)(ProtobufBytes().float(3, 0.5))))
            ),
        ]
        for (request, expected) in requests {
            #expect(Encoded().body(of: .call(Call(id: 1, request: .success(request)))) == expected.bytes)
        }
    }

    @Test func `what selects entries without a prompt is written as the schema says`() {
        let requests: [(InvalidateRequest, ProtobufBytes)] = [
            (
                InvalidateRequest(cache: "c", selector: .filter(try! MetadataFilter("draft"))),
                ProtobufBytes().text(1, "c").text(6, "draft")
            ),
            (
                InvalidateRequest(cache: "c", selector: .tags(["a", "b"])),
                ProtobufBytes().text(1, "c").message(7, ProtobufBytes().text(1, "a").text(1, "b"))
            ),
            (
                InvalidateRequest(cache: "", selector: .wholeTenant(confirmation: "acme"), isDryRun: true),
                ProtobufBytes().message(8, ProtobufBytes().text(1, "acme")).varint(15, 1)
            ),
        ]
        for (request, expected) in requests {
            let call = Call(id: 1, request: .success(.invalidate(request)))
            #expect(Encoded().body(of: .call(call)) == ProtobufBytes.invalidate(expected).bytes)
        }
    }

    @Test(
        arguments: [
            (.none, ProtobufBytes()), (.apiKey("k"), ProtobufBytes().text(4, "k")),
            (.token("t"), ProtobufBytes().text(5, "t")),
        ] as [(Credential, ProtobufBytes)])
    func `a credential is written as the schema says`(credential: Credential, field: ProtobufBytes) {
        let hello = Hello(minimumVersion: 1, maximumVersion: 1, clientName: "", credential: credential)
        #expect(Encoded().body(of: .hello(hello)) == ProtobufBytes.hello(field).bytes)
    }

    @Test(
        arguments: [
            (.nanoseconds(1), 1), (.zero, 1), (.seconds(-5), 1), (.milliseconds(250), 250),
            (.microseconds(250_001), 251), (.seconds(Int64.max), 1 << 63),
        ] as [(Duration, UInt64)])
    func `a time to try again is rounded up to a millisecond at least`(duration: Duration, milliseconds: UInt64) throws
    {
        let error = CacheError(.resourceExhausted, "", retryAfter: duration)
        let body = Encoded().body(of: .reply(Reply(id: 1, result: .failure(error))))
        let status = ProtobufBytes().varint(1, 8).varint(4, milliseconds)
        #expect(body == ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(2, status)).bytes)
    }

    @Test func `a time to try again of 0 is none, and the longest is no trap`() throws {
        for (milliseconds, expected) in [(0, nil), (UInt64.max, .milliseconds(Int64.max))] as [(UInt64, Duration?)] {
            let status = ProtobufBytes().varint(1, 8).varint(4, milliseconds)
            let reply = ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(2, status))
            let message = try ServerMessageDecoder().decode(reply.bytes)
            let error = CacheError(.resourceExhausted, "", retryAfter: expected)
            #expect(message == .reply(Reply(id: 1, result: .failure(error))))
            _ = Encoded().body(of: message)
        }
    }

    @Test func `a chat's content is kept as it was sent`() throws {
        // Neither trimmed, nor folded, nor composed.
        let content = " e\u{301}  \n\t\u{feff}"
        let request = ProtobufBytes().text(1, "c").message(10, .said("user", content)).message(10, .said("tool", ""))
        guard case .call(let call) = try ClientMessageDecoder().decode(ProtobufBytes.lookup(request).bytes),
            case .success(.lookup(let lookup)) = call.request, case .chat(let messages) = lookup.prompt
        else {
            Issue.record("not a chat")
            return
        }
        #expect(messages.map { Array($0.content.utf8) } == [Array(content.utf8), []])
        #expect(messages.map { $0.role } == ["user", "tool"])
    }

    @Test func `an empty tenant is none`() throws {
        let call = ProtobufBytes().message(2, ProtobufBytes().varint(1, 7).text(4, "").message(12))
        #expect(
            try ClientMessageDecoder().decode(call.bytes) == .call(Call(id: 7, tenant: nil, request: .success(.ping))))
    }

    @Test func `an absent threshold and age are not zeros`() throws {
        let absent = try ClientMessageDecoder().decode(ProtobufBytes.lookup(.asking()).bytes)
        let zeros = try ClientMessageDecoder().decode(
            ProtobufBytes.lookup(ProtobufBytes.asking().float(4, 0).varint(6, 0)).bytes)
        guard case .call(let first) = absent, case .success(.lookup(let without)) = first.request,
            case .call(let second) = zeros, case .success(.lookup(let with)) = second.request
        else {
            Issue.record("not lookups")
            return
        }
        #expect(without.similarityThreshold == nil && without.maximumAge == nil && without.topK == 1)
        #expect(with.similarityThreshold == 0 && with.maximumAge == .zero)
    }

    @Test func `tags become the attribute of their name`() throws {
        let store = ProtobufBytes.asking().text(4, "yes").text(7, "doc-1").text(7, "v2")
        guard case .call(let call) = try ClientMessageDecoder().decode(ProtobufBytes.store(store).bytes),
            case .success(.store(let request)) = call.request
        else {
            Issue.record("not a store")
            return
        }
        #expect(request.attributes == [Attribute(name: "tags", value: .strings(["doc-1", "v2"]))])
        #expect(request.contentType == CacheEntry.defaultContentType)
    }

    @Test func `fields that this server does not know are passed over`() throws {
        let request = ProtobufBytes.asking().text(99, "new").varint(98, 7).double(97, 1).float(96, 2)
        let call = ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(8, request).text(60, "newer"))
        let plain = try ClientMessageDecoder().decode(ProtobufBytes.lookup(.asking()).bytes)
        #expect(try ClientMessageDecoder().decode(call.text(50, "newest").bytes) == plain)
    }
}
