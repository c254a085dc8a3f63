// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import CacheWire
import NIOCore

/// Requests and responses as stock gRPC carries them, made with the native codec: its envelope is taken off or put on.
package enum StockMessages {
    private static let fields: [ServiceMethod: Int] = [
        .lookup: 8, .store: 9, .invalidate: 10, .stats: 11, .ping: 12, .export: 13, .embed: 14, .lease: 15,
        .feedback: 16, .labels: 17,
    ]

    package static func request(_ request: ServiceRequest) -> [UInt8] {
        var frame = ByteBuffer()
        ClientMessageEncoder().write(.call(Call(id: 1, request: .success(request))), into: &frame)
        let message = Array(frame.readableBytesView.dropFirst(FrameReader.headerBytes))
        let call = self.field(2, of: message) ?? []
        return self.fields.values.lazy.compactMap { self.field($0, of: call) }.first ?? []
    }

    package static func response(_ method: ServiceMethod, _ bytes: [UInt8]) throws -> ServiceResponse {
        let reply = ProtobufBytes().varint(1, 1).data(self.fields[method]!, bytes)
        let message = ProtobufBytes().message(2, reply).bytes
        guard case .reply(let reply) = try message.withUnsafeBytes({ try ServerMessageDecoder().decode($0) }) else {
            throw CacheError(.internal, "it is no reply")
        }
        return try reply.result.get()
    }

    /// A length-delimited field of a message that our own encoder wrote, where all others are that or varints.
    private static func field(_ number: Int, of message: [UInt8]) -> [UInt8]? {
        var rest = message[...]
        func varint() -> Int {
            var value = 0
            var shift = 0
            while let byte = rest.popFirst() {
                value |= Int(byte & 0x7f) << shift
                shift += 7
                if byte < 0x80 { break }
            }
            return value
        }
        while !rest.isEmpty {
            let key = varint()
            let amount = varint()
            guard key & 7 == 2 else { continue }
            if key >> 3 == number { return Array(rest.prefix(amount)) }
            rest = rest.dropFirst(amount)
        }
        return nil
    }
}
