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
            cache: "faq", prompt: try! CanonicalPrompt("why?"), vary: [VaryPart(name: "model", value: "m1")],
            similarityThreshold: 0, topK: 3, maximumAge: .zero, mode: .semantic, embedding: [1, -0.5])
        let call = Call(
            id: 300, deadline: .milliseconds(250), traceparent: "00-ab", request: .success(.lookup(lookup)))
        let fields = ProtobufBytes().text(1, "faq").text(2, "why?")
            .message(3, ProtobufBytes().text(1, "model").text(2, "m1"))
            .float(4, 0).varint(5, 3).varint(6, 0).varint(7, 2).message(8, ProtobufBytes().floats(1, [1, -0.5]))
        let expected = ProtobufBytes().message(
            2, ProtobufBytes().varint(1, 300).varint(2, 250).text(3, "00-ab").message(8, fields))
        #expect(Encoded().body(of: .call(call)) == expected.bytes)
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
