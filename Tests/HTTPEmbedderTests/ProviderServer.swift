// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import TestSupport

/// A provider on this machine that answers each request as a test says.
final class ProviderServer: Sendable {
    struct Request: Sendable {
        let uri: String
        let headers: HTTPHeaders
        let body: String
        let texts: [String]
        let came: ContinuousClock.Instant
    }

    enum Answer: Sendable {
        case vectors(headers: HTTPHeaders = [:], model: String = ProviderServer.model)
        case body(String, headers: HTTPHeaders = [:])
        case status(Int, headers: HTTPHeaders = [:], body: String = "{}")
        case silence
        /// The body, once there is something in the mailbox.
        case held(Mailbox<Void>, String)
        /// A byte, and another whenever one went out, for ever.
        case drip
        /// A part of the body, and the end of the connection.
        case cutOff
        case close
        /// What is not HTTP.
        case noise
    }

    typealias Script = @Sendable (_ number: Int, _ request: Request) -> Answer

    static let model = "text-embedding-3-small"
    static let dimensions = 8

    let port: Int
    /// Each request as it comes, and each connection that ends.
    let arrivals = Mailbox<Request>()
    let departures = Mailbox<Void>()
    private let script: Script
    private let seen = Mutex<[Request]>([])

    var requests: [Request] { self.seen.withLock { $0 } }
    var url: String { "http://127.0.0.1:\(self.port)" }

    private init(port: Int, _ script: @escaping Script) {
        self.port = port
        self.script = script
    }

    fileprivate func answer(_ request: Request) -> Answer {
        let number = self.seen.withLock { seen in
            seen.append(request)
            return seen.count - 1
        }
        defer { self.arrivals.append(request) }
        return self.script(number, request)
    }

    static func withServer<Value>(
        tls: NIOSSLContext? = nil, _ script: @escaping Script, _ body: (ProviderServer) async throws -> Value
    ) async throws -> Value {
        let reference = ServerReference()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.configureHTTPServerPipeline(withErrorHandling: false)
                    try pipeline.addHandler(ProviderHandler(reference))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = ProviderServer(port: channel.localAddress?.port ?? 0, script)
        reference.server.withLock { $0 = server }
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
    static func goneURL() async throws -> String { "http://127.0.0.1:\(try await unusedPort())" }

    static func vector(of text: String) -> Embedding {
        HashingEmbedder.embedding(of: text, dimensions: Self.dimensions)
    }

    /// As the protocol that was asked says.
    fileprivate static func vectors(for request: Request, model: String) -> String {
        let vectors = request.texts.map { Self.vector(of: $0).values }
        if request.uri.hasSuffix("/api/embed") {
            return #"{"model":"\#(model)","embeddings":\#(vectors),"prompt_eval_count":7}"#
        }
        let isEncoded = request.body.contains("base64")
        // The last one first: the order is what `index` says.
        let items = vectors.enumerated().reversed().map { index, values in
            let numbers = isEncoded ? "\"\(Self.base64(values))\"" : "\(values)"
            return #"{"object":"embedding","index":\#(index),"embedding":\#(numbers)}"#
        }
        return """
            {"object":"list","model":"\(model)","data":[\(items.joined(separator: ","))],
            "usage":{"prompt_tokens":5,"total_tokens":5}}
            """
    }

    static func base64(_ values: [Float]) -> String {
        values.reduce(into: Data()) { data, value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
        }.base64EncodedString()
    }
}

/// Where a connection finds the server, which has no address before it listens.
private final class ServerReference: Sendable {
    let server = Mutex<ProviderServer?>(nil)
}

private final class ProviderHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private struct Input: Decodable { let input: [String] }

    private let found: ServerReference
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(_ found: ServerReference) { self.found = found }

    func channelInactive(context: ChannelHandlerContext) {
        self.found.server.withLock { $0 }?.departures.append(())
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            self.body.clear()
        case .body(var part): self.body.writeBuffer(&part)
        case .end:
            guard let server = self.found.server.withLock({ $0 }), let head = self.head else { return }
            let bytes = Data(self.body.readableBytesView)
            let request = ProviderServer.Request(
                uri: head.uri, headers: head.headers, body: String(decoding: bytes, as: UTF8.self),
                texts: (try? JSONDecoder().decode(Input.self, from: bytes))?.input ?? [], came: .now)
            self.answer(context, request, server.answer(request))
        }
    }

    private func answer(
        _ context: ChannelHandlerContext, _ request: ProviderServer.Request, _ answer: ProviderServer.Answer
    ) {
        switch answer {
        case .vectors(let headers, let model):
            self.send(context, 200, ProviderServer.vectors(for: request, model: model), headers)
        case .body(let text, let headers): self.send(context, 200, text, headers)
        case .status(let code, let headers, let text): self.send(context, code, text, headers)
        case .silence: break
        case .held(let gate, let text):
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.makeFutureWithTask { await gate.next() }.whenSuccess { _ in
                let (handler, context) = bound.value
                if context.channel.isActive { handler.send(context, 200, text, [:]) }
            }
        case .drip:
            self.send(context, 200, "{", ["content-length": "10000"], isWhole: false)
            self.drip(context)
        case .cutOff:
            let text = ProviderServer.vectors(for: request, model: ProviderServer.model)
            self.send(
                context, 200, String(text.prefix(40)), ["content-length": "\(text.utf8.count)"], isWhole: false)
            context.close(promise: nil)
        case .close: context.close(promise: nil)
        case .noise:
            // Past the encoder.
            let encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self)
            encoder?.writeAndFlush(NIOAny(ByteBuffer(string: "220 smtp.example ESMTP\r\n")), promise: nil)
        }
    }

    private func drip(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .milliseconds(5)) {
            let (handler, context) = bound.value
            guard context.channel.isActive else { return }
            context.writeAndFlush(handler.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: " ")))), promise: nil)
            handler.drip(context)
        }
    }

    private func send(
        _ context: ChannelHandlerContext, _ code: Int, _ text: String, _ headers: HTTPHeaders, isWhole: Bool = true
    ) {
        var headers = headers
        if !headers.contains(name: "content-length") {
            headers.add(name: "content-length", value: "\(text.utf8.count)")
        }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: code), headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        if isWhole { context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil) }
    }
}
