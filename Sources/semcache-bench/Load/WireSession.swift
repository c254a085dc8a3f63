// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import NIOCore

/// The native protocol over a blocking socket, for what is not measured, and for imports.
final class WireSession {
    let socket: BlockingSocket
    private let encoder = ClientMessageEncoder()
    private let decoder = ServerMessageDecoder()
    private var received: ReceiveBuffer
    private var outgoing = ByteBuffer()

    /// Connects and says hello.
    ///
    /// - Parameter bufferBytes: More than the largest message that is hoped for.
    init(_ target: Target, credential: Credential = .none, bufferBytes: Int = 8 << 20) throws {
        self.received = ReceiveBuffer(capacity: bufferBytes)
        self.socket = try BlockingSocket(host: target.host, port: target.port, tls: target.tls)
        let versions = ServiceVersion.protocolVersions
        self.append(
            .hello(
                Hello(
                    minimumVersion: versions.lowerBound, maximumVersion: versions.upperBound,
                    clientName: "semcache-bench", credential: credential)))
        try self.flush()
        guard case .welcome = try self.receive() else { throw BenchError("the server does not welcome this client") }
    }

    /// The frame of a call.
    static func frame(_ id: UInt64, _ request: ServiceRequest, encoder: ClientMessageEncoder) -> [UInt8] {
        var buffer = ByteBuffer()
        encoder.write(.call(Call(id: id, request: .success(request))), into: &buffer)
        return Array(buffer.readableBytesView)
    }

    func append(_ message: ClientMessage) { self.encoder.write(message, into: &self.outgoing) }

    /// Sends what was appended.
    func flush() throws(BenchError) {
        let bytes = Array(self.outgoing.readableBytesView)
        self.outgoing.clear()
        let result: Result<Void, BenchError> = bytes.withUnsafeBytes { bytes in
            do throws(BenchError) {
                return .success(try self.socket.send(bytes))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Waits for a message.
    func receive() throws -> ServerMessage {
        while true {
            let bytes = self.received.bytes
            if let length = ReplyHead.frameBytes(bytes) {
                let message = try self.decoder.decode(
                    UnsafeRawBufferPointer(rebasing: bytes[FrameReader.headerBytes..<length]))
                self.received.take(length)
                return message
            }
            try self.received.fill(from: self.socket)
        }
    }

    /// What the server has counted for the session's tenant.
    func statistics() throws -> ServiceStatistics {
        var statistics = ServiceStatistics()
        try self.callAll(1, window: 1) { _ in
            .stats(cache: nil)
        } reply: { _, response in
            guard case .stats(let answer) = response else { throw BenchError("the answer is none to a Stats") }
            statistics = answer
        }
        return statistics
    }

    /// Makes many calls, some in flight at any time.
    ///
    /// - Parameters:
    ///   - window: The most in flight.
    ///   - reply: Told each answer and the position of its call.
    func callAll(
        _ count: Int, window: Int, request: (Int) throws -> ServiceRequest,
        reply: (Int, ServiceResponse) throws -> Void
    ) throws {
        var sent = 0
        var answered = 0
        while answered < count {
            while sent < count, sent - answered < window {
                self.append(.call(Call(id: UInt64(sent + 1), request: .success(try request(sent)))))
                sent += 1
            }
            if self.outgoing.readableBytes > 0 { try self.flush() }
            guard case .reply(let message) = try self.receive() else { throw BenchError("the server is stopping") }
            switch message.result {
            case .success(let response): try reply(Int(message.id) - 1, response)
            case .failure(let error): throw BenchError("the server refused a call: \(error)")
            }
            answered += 1
        }
    }
}
