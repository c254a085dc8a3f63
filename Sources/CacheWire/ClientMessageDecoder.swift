// SPDX-License-Identifier: Apache-2.0

package import CCacheProto
import CacheModel

/// Decodes what a client sends. Belongs to one thread.
package final class ClientMessageDecoder {
    private let arena: ProtobufArena

    /// - Parameter memory: Bytes that one message may take.
    package init(memory: Int = Limits.maximumDecodedBytes) { self.arena = ProtobufArena(limit: memory) }

    /// Decodes a frame's body into nouns.
    ///
    /// - Throws: ``WireError`` with `.malformedMessage`. What is well-formed but cannot be served is in ``Call/request``.
    package func decode(_ body: UnsafeRawBufferPointer) throws(WireError) -> ClientMessage {
        defer { self.arena.reset() }
        return try Self.message(self.unpack(body).pointee)
    }

    /// Decodes a frame's body and lends protobuf-c's view of it, from which nothing may escape; `nil` if it is no
    /// message.
    package func withUnpacked<Result>(
        _ body: UnsafeRawBufferPointer, _ use: (borrowing Semcached__V1__ClientMessage) -> Result
    ) -> Result? {
        defer { self.arena.reset() }
        guard let message = try? self.unpack(body) else { return nil }
        return use(message.pointee)
    }

    /// Makes nouns of what ``withUnpacked(_:_:)`` lends.
    package static func message(_ message: borrowing Semcached__V1__ClientMessage) throws(WireError) -> ClientMessage {
        switch message.kind_case {
        case SEMCACHED__V1__CLIENT_MESSAGE__KIND_HELLO:
            return .hello(try self.hello(message.hello.pointee))
        case SEMCACHED__V1__CLIENT_MESSAGE__KIND_CALL:
            return .call(try self.call(message.call.pointee))
        case SEMCACHED__V1__CLIENT_MESSAGE__KIND_CANCEL:
            return .cancel(id: message.cancel.pointee.id)
        default:
            throw WireError(.malformedMessage, "message is neither hello, call nor cancel")
        }
    }

    private func unpack(
        _ body: UnsafeRawBufferPointer
    ) throws(WireError) -> UnsafeMutablePointer<Semcached__V1__ClientMessage> {
        let start = body.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let message = semcached__v1__client_message__unpack(self.arena.allocator, body.count, start) else {
            throw WireError(.malformedMessage, "message is no valid protobuf or takes too much memory")
        }
        return message
    }

    private static func hello(_ hello: borrowing Semcached__V1__Hello) throws(WireError) -> Hello {
        do {
            return Hello(
                minimumVersion: hello.minimum_version, maximumVersion: hello.maximum_version,
                clientName: try hello.client_name.text("client_name", limit: Limits.maximumClientNameBytes),
                credential: try self.credential(hello))
        } catch {
            throw WireError(.malformedMessage, error.message)
        }
    }

    private static func credential(_ hello: borrowing Semcached__V1__Hello) throws(CacheError) -> Credential {
        switch hello.credential_case {
        case SEMCACHED__V1__HELLO__CREDENTIAL_API_KEY:
            return .apiKey(try hello.api_key.name("api_key", limit: Limits.maximumAPIKeyBytes))
        case SEMCACHED__V1__HELLO__CREDENTIAL_TOKEN:
            return .token(try hello.token.name("token", limit: Limits.maximumTokenBytes))
        default:
            return .none
        }
    }

    private static func call(_ call: borrowing Semcached__V1__Call) throws(WireError) -> Call {
        guard call.id != 0 else { throw WireError(.malformedMessage, "call id is 0") }
        let deadline: Duration? = call.deadline_ms == 0 ? nil : .milliseconds(Int64(call.deadline_ms))
        do {
            let traceparent = try call.traceparent.text("traceparent", limit: Limits.maximumTraceParentBytes)
            let tenant = try call.tenant.text("tenant", limit: Limits.maximumTenantNameBytes)
            return Call(
                id: call.id, deadline: deadline, traceparent: traceparent, tenant: tenant.isEmpty ? nil : tenant,
                request: .success(try self.request(call)))
        } catch {
            return Call(id: call.id, deadline: deadline, request: .failure(error))
        }
    }

    private static func request(_ call: borrowing Semcached__V1__Call) throws(CacheError) -> ServiceRequest {
        switch call.request_case {
        case SEMCACHED__V1__CALL__REQUEST_LOOKUP:
            return .lookup(try LookupRequest(call.lookup.pointee))
        case SEMCACHED__V1__CALL__REQUEST_STORE:
            return .store(try StoreRequest(call.store.pointee))
        case SEMCACHED__V1__CALL__REQUEST_INVALIDATE:
            return .invalidate(try InvalidateRequest(call.invalidate.pointee))
        case SEMCACHED__V1__CALL__REQUEST_STATS:
            return .stats(cache: try statisticsCache(call.stats.pointee))
        case SEMCACHED__V1__CALL__REQUEST_EXPORT:
            return .export(try ExportRequest(call.export.pointee))
        case SEMCACHED__V1__CALL__REQUEST_EMBED:
            return .embed(try EmbedRequest(call.embed.pointee))
        case SEMCACHED__V1__CALL__REQUEST_LEASE:
            return .lease(try LeaseRequest(call.lease.pointee))
        case SEMCACHED__V1__CALL__REQUEST_FEEDBACK:
            return .feedback(try FeedbackRequest(call.feedback.pointee))
        case SEMCACHED__V1__CALL__REQUEST_LABELS:
            return .labels(try LabelsRequest(call.labels.pointee))
        case SEMCACHED__V1__CALL__REQUEST_PING:
            return .ping
        default:
            throw CacheError(.unimplemented, "the call names no request that this server knows")
        }
    }
}
