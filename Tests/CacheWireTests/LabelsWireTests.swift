// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

@Suite struct LabelsWireTests {
    private static func request(_ fields: ProtobufBytes) throws -> Result<ServiceRequest, CacheError> {
        guard case .call(let call) = try ClientMessageDecoder().decode(ProtobufBytes.call(17, fields).bytes) else {
            throw CacheError(.internal, "not a call")
        }
        return call.request
    }

    private static func reply(_ fields: ProtobufBytes) -> [UInt8] {
        ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(17, fields)).bytes
    }

    @Test func `a request is written and read as the schema says`() throws {
        let request = LabelsRequest(cache: "faq", after: 70, pageSize: 3)
        let fields = ProtobufBytes().text(1, "faq").varint(2, 70).varint(3, 3)
        let call = Call(id: 1, request: .success(.labels(request)))
        #expect(Encoded().body(of: .call(call)) == ProtobufBytes.call(17, fields).bytes)
        #expect(try Self.request(fields) == .success(.labels(request)))
    }

    @Test func `a request without a page size is one of the greatest pages`() throws {
        let request = LabelsRequest(cache: "faq", pageSize: 1024)
        #expect(try Self.request(ProtobufBytes().text(1, "faq")) == .success(.labels(request)))
    }

    @Test func `too great a page and a missing cache are refused`() throws {
        let tooGreat = CacheError(.invalidArgument, "page_size is 1025, the limit is 1024", field: "page_size")
        #expect(try Self.request(ProtobufBytes().text(1, "faq").varint(3, 1025)) == .failure(tooGreat))
        let missing = CacheError(.invalidArgument, "cache is empty", field: "cache")
        #expect(try Self.request(ProtobufBytes().varint(2, 1)) == .failure(missing))
    }

    @Test func `a page is written and read as the schema says`() throws {
        let page = LabelsPage(
            decisions: [
                LabelledDecision(
                    number: 8, similarity: 0.5, risk: 0, isRight: true, wouldServe: false, source: .audit),
                LabelledDecision(
                    number: 9, similarity: 0.25, risk: nil, isRight: false, wouldServe: true, source: .feedback,
                    isGuarded: true),
            ], next: 9, last: 300)
        let fields = ProtobufBytes()
            .message(1, ProtobufBytes().varint(1, 8).float(2, 0.5).float(3, 0).varint(4, 1).varint(6, 2))
            .message(1, ProtobufBytes().varint(1, 9).float(2, 0.25).varint(5, 1).varint(6, 3).varint(7, 1))
            .varint(2, 9).varint(3, 300)
        let reply = Reply(id: 1, result: .success(.labels(page)))
        #expect(Encoded().body(of: .reply(reply)) == Self.reply(fields))
        #expect(try ServerMessageDecoder().decode(Self.reply(fields)) == .reply(reply))
    }

    @Test func `of a newer server, labels of an unknown source are left out`() throws {
        let fields = ProtobufBytes()
            .message(1, ProtobufBytes().varint(1, 8).varint(6, 99)).message(
                1, ProtobufBytes().varint(1, 9).varint(6, 1))
        guard case .reply(let reply) = try ServerMessageDecoder().decode(Self.reply(fields)),
            case .success(.labels(let page)) = reply.result
        else { throw CacheError(.internal, "not labels") }
        #expect(page.decisions.map { $0.number } == [9])
        #expect(page.next == nil && page.last == 0)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 1.5, -1.5])
    func `what cannot be a similarity or a risk is left out`(number: Float) throws {
        let fields = ProtobufBytes()
            .message(1, ProtobufBytes().varint(1, 7).float(2, number).varint(6, 1))
            .message(1, ProtobufBytes().varint(1, 8).float(2, -1).float(3, number).varint(6, 1))
            .message(1, ProtobufBytes().varint(1, 9).float(2, 1).float(3, -0.5).varint(6, 1))
            .message(1, ProtobufBytes().varint(1, 10).float(2, 1).float(3, 1).varint(6, 1))
        guard case .reply(let reply) = try ServerMessageDecoder().decode(Self.reply(fields)),
            case .success(.labels(let page)) = reply.result
        else { throw CacheError(.internal, "not labels") }
        #expect(page.decisions.map { $0.number } == [8, 9, 10])
        #expect(page.decisions.map { $0.risk } == [nil, nil, 1])
    }
}
