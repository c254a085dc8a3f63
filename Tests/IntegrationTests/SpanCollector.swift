// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A collector as OTLP/HTTP has it, on a port of its own.
final class SpanCollector: Sendable {
    enum Manner: Sendable {
        case answers(HTTPResponseStatus)
        /// Takes all and never answers.
        case hangs
    }

    struct Request: Sendable {
        var path: String
        var headers: HTTPHeaders
        var bytes: [UInt8] = []

        var body: String { String(decoding: self.bytes, as: UTF8.self) }
    }

    private let manner: Manner
    private let received = Mutex<[Request]>([])
    private let arrivals = AsyncStream.makeStream(of: Void.self)
    private let channel = Mutex<(any Channel)?>(nil)

    init(_ manner: Manner = .answers(.ok)) async throws {
        self.manner = manner
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

    var port: Int { self.channel.withLock { $0?.localAddress?.port } ?? 0 }

    /// All that came so far.
    var requests: [Request] { self.received.withLock { $0 } }

    var spans: [ExportedSpan] {
        get throws { try self.requests.flatMap { try ExportedSpan.all(in: $0.body) } }
    }

    /// Waits until what came is as a test wants it.
    func wait(until isEnough: (SpanCollector) throws -> Bool) async throws {
        if try isEnough(self) { return }
        for await _ in self.arrivals.stream where try isEnough(self) { return }
    }

    private func take(_ request: Request) -> Manner {
        self.received.withLock { $0.append(request) }
        self.arrivals.continuation.yield()
        return self.manner
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private weak var collector: SpanCollector?
        private var request = Request(path: "", headers: [:])

        init(_ collector: SpanCollector) { self.collector = collector }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch self.unwrapInboundIn(data) {
            case .head(let head): self.request = Request(path: head.uri, headers: head.headers)
            case .body(let bytes): self.request.bytes += Array(bytes.readableBytesView)
            case .end:
                guard case .answers(let status) = self.collector?.take(self.request) else { return }
                let head = HTTPResponseHead(version: .http1_1, status: status, headers: ["content-length": "2"])
                context.write(self.wrapOutboundOut(.head(head)), promise: nil)
                context.write(self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "{}")))), promise: nil)
                context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}

/// A span as a collector gets it.
struct ExportedSpan {
    let service: String
    let name: String
    let traceID: String
    let id: String
    /// Empty for the first one of a trace.
    let parentID: String
    /// As OTLP numbers them: internal 1, server 2, client 3.
    let kind: Int
    /// Numbers as text.
    let attributes: [String: String]
    let isError: Bool

    static func all(in body: String) throws -> [ExportedSpan] {
        let document = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
        return Self.objects(document, "resourceSpans").flatMap { resource in
            let attributes = Self.attributes(resource["resource"] as? [String: Any])
            return Self.objects(resource, "scopeSpans").flatMap { Self.objects($0, "spans") }
                .map { ExportedSpan($0, service: attributes["service.name"] ?? "") }
        }
    }

    private init(_ span: [String: Any], service: String) {
        func text(_ key: String) -> String { span[key] as? String ?? "" }
        self.service = service
        self.name = text("name")
        self.traceID = text("traceId")
        self.id = text("spanId")
        self.parentID = text("parentSpanId")
        self.kind = span["kind"] as? Int ?? 0
        self.attributes = Self.attributes(span)
        self.isError = (span["status"] as? [String: Any])?["code"] as? Int == 2
    }

    private static func objects(_ object: [String: Any]?, _ key: String) -> [[String: Any]] {
        object?[key] as? [[String: Any]] ?? []
    }

    private static func attributes(_ object: [String: Any]?) -> [String: String] {
        let pairs = Self.objects(object, "attributes").map { attribute in
            let value = (attribute["value"] as? [String: Any])?.values.first
            return (attribute["key"] as? String ?? "", value.map { "\($0)" } ?? "")
        }
        return Dictionary(pairs, uniquingKeysWith: { $1 })
    }
}
