// SPDX-License-Identifier: Apache-2.0

import CCacheProto
package import CacheModel

/// The methods of the schema's services, as stock gRPC names them.
package enum ServiceMethod: String, Sendable, CaseIterable {
    case lookup = "Lookup"
    case store = "Store"
    case invalidate = "Invalidate"
    case embed = "Embed"
    case lease = "Lease"
    case feedback = "Feedback"
    case stats = "Stats"
    case export = "Export"
    case labels = "Labels"
    case ping = "Ping"

    /// Full name of the service.
    package var service: String {
        switch self {
        case .lookup, .store, .lease, .invalidate, .embed, .feedback: "semcached.v1.SemanticCache"
        case .stats, .export, .labels, .ping: "semcached.v1.Admin"
        }
    }
}

extension ServiceRequest {
    package var method: ServiceMethod {
        switch self {
        case .lookup: .lookup
        case .store: .store
        case .invalidate: .invalidate
        case .embed: .embed
        case .lease: .lease
        case .feedback: .feedback
        case .stats: .stats
        case .export: .export
        case .labels: .labels
        case .ping: .ping
        }
    }

    /// Decodes a request as it travels over stock gRPC, where the method says what it is. Checks what
    /// ``ClientMessageDecoder`` checks.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`.
    package init(_ method: ServiceMethod, _ body: UnsafeRawBufferPointer) throws(CacheError) {
        let arena = ProtobufArena()
        // What is unpacked lies in it.
        defer { withExtendedLifetime(arena) {} }
        switch method {
        case .lookup:
            let message = try unpacked(body, arena, semcached__v1__lookup_request__unpack)
            self = .lookup(try LookupRequest(message.pointee))
        case .store:
            let message = try unpacked(body, arena, semcached__v1__store_request__unpack)
            self = .store(try StoreRequest(message.pointee))
        case .invalidate:
            let message = try unpacked(body, arena, semcached__v1__invalidate_request__unpack)
            self = .invalidate(try InvalidateRequest(message.pointee))
        case .embed:
            let message = try unpacked(body, arena, semcached__v1__embed_request__unpack)
            self = .embed(try EmbedRequest(message.pointee))
        case .lease:
            let message = try unpacked(body, arena, semcached__v1__lease_request__unpack)
            self = .lease(try LeaseRequest(message.pointee))
        case .feedback:
            let message = try unpacked(body, arena, semcached__v1__feedback_request__unpack)
            self = .feedback(try FeedbackRequest(message.pointee))
        case .stats:
            let message = try unpacked(body, arena, semcached__v1__stats_request__unpack)
            self = .stats(cache: try statisticsCache(message.pointee))
        case .export:
            let message = try unpacked(body, arena, semcached__v1__export_request__unpack)
            self = .export(try ExportRequest(message.pointee))
        case .labels:
            let message = try unpacked(body, arena, semcached__v1__labels_request__unpack)
            self = .labels(try LabelsRequest(message.pointee))
        case .ping:
            _ = try unpacked(body, arena, semcached__v1__ping_request__unpack)
            self = .ping
        }
    }
}

private func unpacked<Message>(
    _ body: UnsafeRawBufferPointer, _ arena: ProtobufArena,
    _ unpack: (UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?) -> UnsafeMutablePointer<Message>?
) throws(CacheError) -> UnsafeMutablePointer<Message> {
    let start = body.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard let message = unpack(arena.allocator, body.count, start) else {
        throw CacheError(.invalidArgument, "message is no valid protobuf or takes too much memory")
    }
    return message
}

extension ServiceResponse {
    /// That of the request which it answers.
    package var method: ServiceMethod {
        switch self {
        case .lookup: .lookup
        case .store: .store
        case .invalidate: .invalidate
        case .embed: .embed
        case .lease: .lease
        case .feedback: .feedback
        case .stats: .stats
        case .export: .export
        case .labels: .labels
        case .ping: .ping
        }
    }

    /// Lends the response as it travels over stock gRPC; the closure must not let it escape.
    package func withPacked<Result>(_ use: (PackedResponse) -> Result) -> Result {
        let arena = ProtobufArena(limit: 4 * Limits.maximumFrameBytes)
        let build = MessageBuilder(arena: arena)
        let message: UnsafeRawPointer =
            switch self {
            case .lookup(let outcome): UnsafeRawPointer(build.lookup(outcome))
            case .store(let outcome): UnsafeRawPointer(build.store(outcome))
            case .invalidate(let outcome): UnsafeRawPointer(build.invalidate(outcome))
            case .embed(let outcome): UnsafeRawPointer(build.embed(outcome))
            case .lease(let outcome): UnsafeRawPointer(build.lease(outcome))
            case .feedback(let outcome): UnsafeRawPointer(build.feedback(outcome))
            case .stats(let statistics): UnsafeRawPointer(build.statistics(statistics))
            case .export(let page): UnsafeRawPointer(build.page(page))
            case .labels(let page): UnsafeRawPointer(build.labels(page))
            case .ping(let serverVersion): UnsafeRawPointer(build.ping(serverVersion))
            }
        return withExtendedLifetime(arena) { use(PackedResponse(message)) }
    }
}

/// A response that is ready to be written.
package struct PackedResponse {
    private let message: UnsafePointer<ProtobufCMessage>
    package let byteCount: Int

    /// - Parameter message: Points to a structure of protobuf-c, whose first member is its `ProtobufCMessage`.
    fileprivate init(_ message: UnsafeRawPointer) {
        self.message = message.assumingMemoryBound(to: ProtobufCMessage.self)
        self.byteCount = protobuf_c_message_get_packed_size(self.message)
    }

    /// - Parameter bytes: Of ``byteCount``.
    package func write(to bytes: UnsafeMutableRawBufferPointer) {
        guard self.byteCount > 0, let start = bytes.baseAddress else { return }
        precondition(bytes.count >= self.byteCount, "a response does not fit where it is to be written")
        protobuf_c_message_pack(self.message, start.assumingMemoryBound(to: UInt8.self))
    }
}
