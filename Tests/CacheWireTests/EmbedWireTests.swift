// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

@Suite struct EmbedWireTests {
    private static func request(_ fields: ProtobufBytes) throws -> Result<ServiceRequest, CacheError> {
        guard case .call(let call) = try ClientMessageDecoder().decode(ProtobufBytes.call(14, fields).bytes) else {
            throw CacheError(.internal, "not a call")
        }
        return call.request
    }

    @Test func `a request is written and read as the schema says`() throws {
        let request = EmbedRequest(cache: "faq", texts: [try CanonicalPrompt("why?"), try CanonicalPrompt("how?")])
        let fields = ProtobufBytes().text(1, "faq").text(2, "why?").text(2, "how?")
        let call = Call(id: 1, request: .success(.embed(request)))
        #expect(Encoded().body(of: .call(call)) == ProtobufBytes.call(14, fields).bytes)
        let loose = ProtobufBytes().text(1, "faq").text(2, "  why? ").text(2, "how?")
        #expect(try Self.request(loose) == .success(.embed(request)), "texts are made canonical")
    }

    @Test func `an answer is written and read as the schema says`() throws {
        let outcome = EmbedOutcome(identity: "p/m/2/r", vectors: [[1, 0], [0, -1]])
        let vectors: [[UInt8]] = [[0, 0, 0x80, 0x3f, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0x80, 0xbf]]
        let response = vectors.reduce(ProtobufBytes()) { $0.message(1, ProtobufBytes().data(1, $1)) }
            .text(2, "p/m/2/r")
        let reply = Reply(id: 1, result: .success(.embed(outcome)))
        let body = Encoded().body(of: .reply(reply))
        #expect(body == ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(14, response)).bytes)
        #expect(try ServerMessageDecoder().decode(body) == .reply(reply))
    }

    @Test func `a request that cannot be served is refused with its field`() throws {
        let cache = ProtobufBytes().text(1, "c")
        let refusals = [
            (cache, "texts"), (ProtobufBytes().text(2, "q"), "cache"), (cache.text(2, " "), "texts"),
            (cache.data(2, [0xff]), "texts"),
            (cache.repeated(Limits.maximumEmbedTexts + 1) { $0.text(2, "q") }, "texts"),
            (cache.data(2, Array(repeating: 0x61, count: Limits.maximumPromptBytes + 1)), "texts"),
        ]
        for (fields, field) in refusals {
            guard case .failure(let error) = try Self.request(fields) else {
                Issue.record("\(field) is taken")
                continue
            }
            #expect(error.code == .invalidArgument && error.field == field, "\(error)")
        }
        let most = cache.repeated(Limits.maximumEmbedTexts) { $0.text(2, "q") }
        #expect(throws: Never.self) { try Self.request(most).get() }
    }

    @Test func `a vector of more dimensions than any model has is refused by a client`() throws {
        let vector = ProtobufBytes().data(1, Array(repeating: 0, count: 4 * (Limits.maximumDimensions + 1)))
        let reply = ProtobufBytes().varint(1, 1).message(14, ProtobufBytes().message(1, vector))
        let message = ProtobufBytes().message(2, reply).bytes
        #expect(throws: WireError.self) { try ServerMessageDecoder().decode(message) }
    }
}
