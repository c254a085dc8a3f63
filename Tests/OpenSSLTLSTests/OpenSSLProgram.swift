// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import OpenSSLTLS
import Synchronization
import TestSupport

/// The program `openssl`, run to its end with a text as its input.
struct OpenSSLProgram {
    let status: Int32
    /// What it has printed on both.
    let output: String

    static func run(_ arguments: [String], input: String) async throws -> OpenSSLProgram {
        try await withCheckedThrowingContinuation { continuation in
            // Reading to the end blocks.
            Thread.detachNewThread {
                continuation.resume(with: Result { try Self(arguments, input: input) })
            }
        }
    }

    private init(_ arguments: [String], input: String) throws {
        let process = Process()
        let (stdin, output) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardInput = stdin
        process.standardOutput = output
        process.standardError = output
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try stdin.fileHandleForWriting.close()
        self.status = process.terminationStatus
        self.output = String(decoding: printed, as: UTF8.self)
    }
}

/// A server on a real socket that says `hello` once it trusts its peer, and closes.
final class GreetingServer: Sendable {
    let port: Int
    let handshakes = Mailbox<TLSHandshakeCompleted>()
    let faults = Mailbox<TLSError>()
    private let channel: any Channel

    init(_ context: TLSContext) async throws {
        let (handshakes, faults) = (self.handshakes, self.faults)
        self.channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        [TLSHandler(context), Greeter(handshakes, faults)])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.port = self.channel.localAddress?.port ?? 0
    }

    func close() async throws { try await self.channel.close() }

    private final class Greeter: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let handshakes: Mailbox<TLSHandshakeCompleted>
        private let faults: Mailbox<TLSError>

        init(_ handshakes: Mailbox<TLSHandshakeCompleted>, _ faults: Mailbox<TLSError>) {
            self.handshakes = handshakes
            self.faults = faults
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard let handshake = event as? TLSHandshakeCompleted else { return }
            self.handshakes.append(handshake)
            let written = context.eventLoop.makePromise(of: Void.self)
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: "hello\n")), promise: written)
            written.futureResult.assumeIsolated().whenSuccess { context.close(promise: nil) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            if let error = error as? TLSError { self.faults.append(error) }
            context.close(promise: nil)
        }
    }
}
