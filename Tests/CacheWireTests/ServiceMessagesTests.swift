// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

/// What stock gRPC carries: the same messages without the native envelope.
@Suite struct ServiceMessagesTests {
    private func decoded(_ method: ServiceMethod, _ bytes: [UInt8]) throws -> ServiceRequest {
        try bytes.withUnsafeBytes { try ServiceRequest(method, $0) }
    }

    private func packed(_ response: ServiceResponse) -> [UInt8] {
        response.withPacked { packed in
            var bytes = [UInt8](repeating: 0xff, count: packed.byteCount)
            bytes.withUnsafeMutableBytes { packed.write(to: $0) }
            return bytes
        }
    }

    @Test func `a request is read as over the native protocol`() throws {
        var random = SeededGenerator(21)
        for _ in 0..<1000 {
            guard case .call(let call) = random.clientMessage(), let request = try? call.request.get() else { continue }
            let body = StockMessages.request(request)
            #expect(try self.decoded(request.method, body) == request)
        }
    }

    @Test func `a response is written as over the native protocol`() throws {
        var random = SeededGenerator(22)
        for _ in 0..<1000 {
            guard case .reply(let reply) = random.serverMessage(), let response = try? reply.result.get() else {
                continue
            }
            #expect(try StockMessages.response(response.method, self.packed(response)) == response)
        }
    }

    @Test(arguments: ServiceMethod.allCases) func `bytes that are no message are refused`(method: ServiceMethod) {
        // A field of four bytes of which one is there.
        #expect(throws: CacheError.self) { try self.decoded(method, [0x0a, 0x04, 0x61]) }
        #expect(throws: CacheError.self) { try self.decoded(method, [0xff]) }
    }

    @Test func `a message that would take too much memory is refused`() {
        // Vary parts of two bytes each, which become a structure each.
        let parts = ProtobufBytes.asking().repeated(1 << 20) { $0.message(3) }
        #expect(throws: CacheError(.invalidArgument, "message is no valid protobuf or takes too much memory")) {
            try self.decoded(.lookup, parts.bytes)
        }
    }

    @Test func `an empty message is a request where none of its fields is needed`() throws {
        #expect(try self.decoded(.ping, []) == .ping)
        #expect(try self.decoded(.stats, []) == .stats(cache: nil))
        #expect(throws: CacheError.self) { try self.decoded(.lookup, []) }
    }
}
