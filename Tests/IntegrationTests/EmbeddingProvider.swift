// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server with OpenAI's routes for embeddings and chats, on a port of its own. Its vectors are of eight numbers, equal
/// for equal texts; in a chat it replies what it was told to.
final class EmbeddingProvider: Sendable {
    private struct State {
        var isDown = false
        var reply: String?
        var keys: [String] = []
        var texts: [String] = []
    }

    private let state = Mutex(State())
    private let channel = Mutex<(any Channel)?>(nil)

    init() async throws {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(self))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.channel.withLock { $0 = channel }
    }

    deinit { self.channel.withLock { $0 }?.close(promise: nil) }

    var url: String { "http://127.0.0.1:\(self.channel.withLock { $0?.localAddress?.port } ?? 0)" }

    /// While it is, it answers each request with an error.
    var isDown: Bool {
        get { self.state.withLock { $0.isDown } }
        set { self.state.withLock { $0.isDown = newValue } }
    }

    /// In a chat; `nil` for an error.
    var reply: String? {
        get { self.state.withLock { $0.reply } }
        set { self.state.withLock { $0.reply = newValue } }
    }

    /// Credentials of all requests.
    var keys: [String] { self.state.withLock { $0.keys } }

    /// Texts that it has embedded, each as often as it was.
    var texts: [String] { self.state.withLock { $0.texts } }

    fileprivate func answer(_ head: HTTPRequestHead, _ body: [UInt8]) -> (HTTPResponseStatus, String) {
        let request = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        let texts = request?["input"] as? [String] ?? []
        let isDown = self.state.withLock { state in
            state.keys.append(head.headers.first(name: "authorization") ?? "")
            if !state.isDown { state.texts += texts }
            return state.isDown
        }
        if isDown { return (.internalServerError, "{}") }
        if head.uri.hasSuffix("/chat/completions") {
            guard let reply = self.reply else { return (.internalServerError, "{}") }
            return (.ok, #"{"choices": [{"message": {"content": "\#(reply)"}}], "usage": {"total_tokens": 9}}"#)
        }
        let items = texts.enumerated().map { number, text in
            #"{"index": \#(number), "embedding": \#(Self.vector(of: text))}"#
        }
        return (.ok, #"{"model": "tiny", "data": [\#(items.joined(separator: ","))]}"#)
    }

    /// Any function of the text would do.
    private static func vector(of text: String) -> [Int] {
        var numbers = [Int](repeating: 1, count: 8)
        for (position, byte) in text.utf8.enumerated() { numbers[position % 8] += Int(byte) * (position + 1) % 251 }
        return numbers
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private weak var provider: EmbeddingProvider?
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []

        init(_ provider: EmbeddingProvider) { self.provider = provider }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch self.unwrapInboundIn(data) {
            case .head(let head): (self.head, self.body) = (head, [])
            case .body(let bytes): self.body += Array(bytes.readableBytesView)
            case .end:
                guard let head, let (status, text) = self.provider?.answer(head, self.body) else { return }
                let body = ByteBuffer(string: text)
                let reply = HTTPResponseHead(
                    version: .http1_1, status: status,
                    headers: ["content-length": "\(body.readableBytes)", "content-type": "application/json"])
                context.write(self.wrapOutboundOut(.head(reply)), promise: nil)
                context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
                context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
