// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A collector on a port of its own that answers as told, and a client that posts to it.
final class Collector: Sendable {
    enum Answer: Sendable {
        case status(Int)
        /// Takes the request and never answers.
        case hang
        /// Closes the connection instead of answering.
        case close
    }

    struct Received: Sendable {
        var uri: String
        var contentType: String?
        var body: [UInt8]
    }

    private let received: AsyncStream<Received>
    private let arrivals: AsyncStream<Received>.Continuation
    /// One after the other; then 200.
    private let answers: Mutex<[Answer]>
    private let channel = Mutex<(any Channel)?>(nil)

    init(_ answers: [Answer] = []) {
        (self.received, self.arrivals) = AsyncStream.makeStream()
        self.answers = Mutex(answers)
    }

    /// The next request that is complete.
    func next() async -> Received? {
        for await request in self.received { return request }
        return nil
    }

    func start() async throws {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(Server(self))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.channel.withLock { $0 = channel }
    }

    func stop() async throws {
        try await self.channel.withLock { $0 }?.close()
    }

    private func answer(to request: Received) -> Answer {
        self.arrivals.yield(request)
        return self.answers.withLock { $0.isEmpty ? .status(200) : $0.removeFirst() }
    }

    /// Ends with an error when it is cancelled, as any client worth its name.
    func post(_ body: [UInt8], to path: String, contentType: String) async throws -> Int {
        let port = self.channel.withLock { $0?.localAddress?.port } ?? 0
        let status = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Int.self)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.pipeline.addHTTPClientHandlers().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(Client(status))
                }
            }
            .connect(host: "127.0.0.1", port: port).flatMapError { error in
                status.fail(error)
                return status.futureResult.eventLoop.makeFailedFuture(error)
            }.get()
        let headers = HTTPHeaders([
            ("host", "127.0.0.1"), ("content-type", contentType), ("content-length", "\(body.count)"),
        ])
        channel.write(
            HTTPClientRequestPart.head(.init(version: .http1_1, method: .POST, uri: path, headers: headers)),
            promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        return try await withTaskCancellationHandler {
            try await status.futureResult.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    private final class Server: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let collector: Collector
        private var request = Received(uri: "", contentType: nil, body: [])

        init(_ collector: Collector) { self.collector = collector }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch self.unwrapInboundIn(data) {
            case .head(let head):
                self.request = Received(uri: head.uri, contentType: head.headers.first(name: "content-type"), body: [])
            case .body(let body): self.request.body += Array(body.readableBytesView)
            case .end:
                switch self.collector.answer(to: self.request) {
                case .status(let code):
                    let head = HTTPResponseHead(
                        version: .http1_1, status: .init(statusCode: code), headers: ["content-length": "0"])
                    context.write(self.wrapOutboundOut(.head(head)), promise: nil)
                    context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
                case .hang: break
                case .close: context.close(promise: nil)
                }
            }
        }
    }

    private final class Client: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart

        private let status: EventLoopPromise<Int>

        init(_ status: EventLoopPromise<Int>) { self.status = status }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch self.unwrapInboundIn(data) {
            case .head(let head): self.status.succeed(Int(head.status.code))
            case .body: break
            case .end: context.close(promise: nil)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            self.status.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { self.status.fail(ChannelError.eof) }
    }
}
