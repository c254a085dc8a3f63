// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport

extension FuzzProperty {
    /// The first byte says to whom the rest comes: to a server, to a client, or as changes to what two of them send each
    /// other.
    static func checkTLSHandshake(_ bytes: UnsafeRawBufferPointer) {
        guard let first = bytes.first else { return }
        let rest = Array(bytes.dropFirst())
        switch first % 3 {
        case 0: Self.checkStranger(rest, of: TLSParties.shared.server)
        case 1: Self.checkStranger(rest, of: TLSParties.shared.client)
        default: Self.checkChanges(rest)
        }
    }

    /// Nobody gets through without the keys, a fault is told once, and cutting makes no difference.
    private static func checkStranger(_ bytes: [UInt8], of context: TLSContext) {
        func outcome(cutEvery size: Int) -> String {
            let end = TLSEnd(context)
            for start in stride(from: 0, to: bytes.count, by: size) {
                end.receive(ByteBuffer(bytes: bytes[start..<min(bytes.count, start + size)]))
            }
            precondition(end.witness.handshakes == 0 && end.witness.received.isEmpty, "somebody got through")
            precondition(end.witness.faults.count == (end.channel.isActive ? 0 : 1), "a fault is not told once")
            precondition(end.taken().readableBytes <= 64 << 10, "a stranger is told too much")
            return end.witness.faults.joined()
        }
        let whole = outcome(cutEvery: max(1, bytes.count))
        precondition(whole == outcome(cutEvery: 1 + (bytes.first.map { Int($0) } ?? 0) % 17), "cutting changes a fault")
    }

    /// What arrives is the beginning of what was sent, whatever is changed on the way.
    private static func checkChanges(_ changes: [UInt8]) {
        let (client, server) = (TLSEnd(TLSParties.shared.client), TLSEnd(TLSParties.shared.server))
        let (question, answer) = ([UInt8](repeating: 0x3f, count: 300), [UInt8](repeating: 0x21, count: 300))
        client.write(question)
        server.write(answer)
        var changes = changes[...]
        for _ in 0..<8 {
            for (source, target) in [(client, server), (server, client)] {
                var bytes = Array(source.taken().readableBytesView)
                // Three bytes are a change: where, in two, and what is made of it.
                if bytes.count > 0, changes.count >= 3 {
                    let change = Array(changes.prefix(3))
                    changes = changes.dropFirst(3)
                    bytes[(Int(change[0]) << 8 | Int(change[1])) % bytes.count] ^= change[2]
                }
                if !bytes.isEmpty { target.receive(ByteBuffer(bytes: bytes)) }
            }
        }
        precondition(question.starts(with: server.witness.received), "the question was changed")
        precondition(answer.starts(with: client.witness.received), "the answer was changed")
        for end in [client, server] {
            precondition(end.witness.faults.count == (end.channel.isActive ? 0 : 1), "a fault is not told once")
        }
    }
}

private struct TLSParties {
    /// Without them there is nothing to check, so that a failure ends the run.
    static let shared = try! TLSParties()

    let certificates: TestCertificates
    let server: TLSContext
    let client: TLSContext

    init() throws {
        self.certificates = try TestCertificates()
        let files = try self.certificates.issue("server")
        var server = TLSServerConfiguration(
            identity: TLSIdentity(chainFile: files.chainFile, keyFile: files.keyFile))
        server.clientCertificates = .optional(trustFile: self.certificates.trustFile)
        server.applicationProtocols = ["h2"]
        self.server = try TLSContext(server)
        var client = TLSClientConfiguration()
        // Without a name no session is remembered, and each run begins in the same state.
        client.trust = .nobodyIsChecked
        client.applicationProtocols = ["h2"]
        self.client = try TLSContext(client)
    }
}

/// One end of a connection without a network.
private final class TLSEnd {
    let channel = EmbeddedChannel()
    let witness = Witness()

    init(_ context: TLSContext) {
        try? self.channel.pipeline.syncOperations.addHandlers([TLSHandler(context), self.witness])
        self.channel.pipeline.connect(to: try! SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    deinit { _ = try? self.channel.finish(acceptAlreadyClosed: true) }

    func receive(_ bytes: ByteBuffer) {
        guard self.channel.isActive else { return }
        _ = try? self.channel.writeInbound(bytes)
    }

    func write(_ bytes: [UInt8]) { self.channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    func taken() -> ByteBuffer {
        var all = ByteBuffer()
        while var next = try? self.channel.readOutbound(as: ByteBuffer.self) { all.writeBuffer(&next) }
        return all
    }
}

private final class Witness: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var received: [UInt8] = []
    private(set) var faults: [String] = []
    private(set) var handshakes = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received += self.unwrapInboundIn(data).readableBytesView
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.faults.append("\(error)") }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSHandshakeCompleted { self.handshakes += 1 }
    }
}
