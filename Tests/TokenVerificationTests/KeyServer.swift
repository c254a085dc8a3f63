// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TestSupport

/// An HTTP server that answers as a test says.
final class KeyServer: Sendable {
    enum Answer: Sendable {
        case body(String)
        /// The body after a tenth of a second.
        case late(String)
        case status(HTTPResponseStatus, location: String? = nil)
        /// A body of that many bytes, with its length in the header or without.
        case bytes(Int, isAnnounced: Bool)
        /// Nothing.
        case silence
        /// A part of the body, and then nothing.
        case unfinished
        /// Closes the connection.
        case close
        /// What is not HTTP.
        case noise
    }

    let url: String
    private let channel: any Channel
    private let state: Mutex<(answer: Answer, requests: Int)>

    var answer: Answer {
        get { self.state.withLock { $0.answer } }
        set { self.state.withLock { $0.answer = newValue } }
    }
    var requests: Int { self.state.withLock { $0.requests } }

    fileprivate func next() -> Answer {
        self.state.withLock { state in
            state.requests += 1
            return state.answer
        }
    }

    private init(_ channel: any Channel, _ answer: Answer) {
        self.channel = channel
        self.url = "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/keys"
        self.state = Mutex((answer, 0))
    }

    static func withServer<Value>(_ answer: Answer, _ body: (KeyServer) async throws -> Value) async throws -> Value {
        let found = ServerReference()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
                    try channel.pipeline.syncOperations.addHandler(AnswerHandler(found))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = KeyServer(channel, answer)
        found.server.withLock { $0 = server }
        do {
            let value = try await body(server)
            try await channel.close()
            return value
        } catch {
            try? await channel.close()
            throw error
        }
    }

    /// Where nobody listens.
    static func goneURL() async throws -> String { "http://127.0.0.1:\(try await unusedPort())/keys" }
}

/// Where a connection finds the server, which has no address before it listens.
private final class ServerReference: Sendable {
    let server = Mutex<KeyServer?>(nil)
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let found: ServerReference

    init(_ found: ServerReference) { self.found = found }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = self.unwrapInboundIn(data), let server = self.found.server.withLock({ $0 }) else { return }
        switch server.next() {
        case .body(let text): self.send(context, .ok, text)
        case .late(let text):
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: .milliseconds(100)) {
                let (handler, context) = bound.value
                handler.send(context, .ok, text)
            }
        case .status(let status, let location):
            self.send(context, status, "", headers: location.map { ["location": $0] } ?? [:])
        case .bytes(let count, let isAnnounced):
            self.send(
                context, .ok, String(repeating: " ", count: count),
                headers: isAnnounced ? ["content-length": "\(count)"] : ["transfer-encoding": "chunked"])
        case .silence: break
        case .unfinished: self.send(context, .ok, "{", headers: ["content-length": "100"], isWhole: false)
        case .close: context.close(promise: nil)
        case .noise:
            // Past the encoder.
            let encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
            encoder?.writeAndFlush(NIOAny(ByteBuffer(string: "220 smtp.example ESMTP\r\n")), promise: nil)
        }
    }

    private func send(
        _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ text: String,
        headers: HTTPHeaders? = nil, isWhole: Bool = true
    ) {
        let headers = headers ?? ["content-length": "\(text.utf8.count)"]
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(
            self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        if isWhole { context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil) }
    }
}
