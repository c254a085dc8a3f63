// SPDX-License-Identifier: Apache-2.0

import CacheModel
import HTTPTypes
import Hummingbird
import NIOCore
import Telemetry

/// Answers the requests of an ``AdminServer``.
struct AdminResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    private static let text = "text/plain; charset=utf-8"
    private static let json = "application/json"

    let pages: AdminPages

    func respond(to request: Request, context: Context) async throws -> Response {
        guard Self.mayHaveBody(request.headers) else {
            return Self.response(.contentTooLarge, closing: true)
        }
        guard let page = Page(rawValue: request.uri.path) else { return Self.response(.notFound) }
        guard request.method == .get || request.method == .head else {
            var response = Self.response(.methodNotAllowed)
            response.headers[.allow] = "GET, HEAD"
            return response
        }
        let response = await self.response(page)
        return request.method == .head ? response.createHeadResponse() : response
    }

    private enum Page: String {
        case health = "/healthz"
        case live = "/livez"
        case readiness = "/readyz"
        case metrics = "/metrics"
        case statistics = "/stats.json"
        case configuration = "/config"
    }

    private func response(_ page: Page) async -> Response {
        switch page {
        case .health, .live:
            return Self.response(.ok, Self.text, Array("ok\n".utf8))
        case .readiness:
            let checks = await self.pages.readiness()
            let isReady = checks.allSatisfy(\.isReady)
            var writer = JSONWriter()
            writer.write(checks, isReady: isReady)
            return Self.response(isReady ? .ok : .serviceUnavailable, Self.json, writer.bytes)
        case .metrics:
            return Self.response(.ok, Exposition.contentType, await self.pages.metrics())
        case .statistics:
            var writer = JSONWriter()
            writer.write(await self.pages.statistics())
            return Self.response(.ok, Self.json, writer.bytes)
        case .configuration:
            var writer = JSONWriter()
            writer.object { writer in
                for (key, value) in self.pages.configuration() {
                    writer.key(key)
                    writer.string(value)
                }
            }
            return Self.response(.ok, Self.json, writer.bytes)
        }
    }

    /// Nothing asks for a body; a small one is read over.
    private static func mayHaveBody(_ headers: HTTPFields) -> Bool {
        guard headers[.transferEncoding] == nil else { return false }
        guard let length = headers[.contentLength] else { return true }
        return Int(length).map { $0 <= Limits.maximumAdminBodyBytes } ?? false
    }

    /// A response that only says its status.
    private static func response(_ status: HTTPResponse.Status, closing: Bool = false) -> Response {
        var response = Self.response(status, Self.text, Array("\(status.reasonPhrase)\n".utf8))
        if closing { response.headers[.connection] = "close" }
        return response
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ body: [UInt8]) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = type
        headers[.cacheControl] = "no-store"
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}

extension JSONWriter {
    fileprivate mutating func write(_ checks: [ReadinessCheck], isReady: Bool) {
        self.object { writer in
            writer.key("ready")
            writer.bool(isReady)
            writer.key("checks")
            writer.array { writer in
                for check in checks {
                    writer.object { writer in
                        writer.key("name")
                        writer.string(check.name)
                        writer.key("ready")
                        writer.bool(check.isReady)
                        guard let trouble = check.trouble else { return }
                        writer.key("reason")
                        writer.string(trouble)
                    }
                }
            }
        }
    }
}
