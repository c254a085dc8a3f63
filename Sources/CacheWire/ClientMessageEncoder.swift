// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel
package import NIOCore

/// Encodes what a client sends. Belongs to one thread.
package final class ClientMessageEncoder {
    private let arena = ProtobufArena(limit: 4 * Limits.maximumFrameBytes)

    package init() {}

    /// Appends a frame with the message.
    ///
    /// A call whose request is a `.failure` is not a message and traps.
    package func write(_ message: ClientMessage, into buffer: inout ByteBuffer) {
        defer { self.arena.reset() }
        let build = MessageBuilder(arena: self.arena)
        let packed = build.make(semcached__v1__client_message__init)
        switch message {
        case .hello(let hello):
            packed.pointee.kind_case = SEMCACHED__V1__CLIENT_MESSAGE__KIND_HELLO
            packed.pointee.hello = build.hello(hello)
        case .call(let call):
            packed.pointee.kind_case = SEMCACHED__V1__CLIENT_MESSAGE__KIND_CALL
            packed.pointee.call = build.call(call)
        case .cancel(let id):
            packed.pointee.kind_case = SEMCACHED__V1__CLIENT_MESSAGE__KIND_CANCEL
            packed.pointee.cancel = build.make(semcached__v1__cancel__init)
            packed.pointee.cancel.pointee.id = id
        }
        buffer.writeFrame { $0.writePacked(UnsafeRawPointer(packed)) }
    }
}

extension ByteBuffer {
    /// Appends a message in wire form.
    ///
    /// - Parameter message: Points to a structure of protobuf-c, whose first member is its `ProtobufCMessage`.
    mutating func writePacked(_ message: UnsafeRawPointer) {
        let base = message.assumingMemoryBound(to: ProtobufCMessage.self)
        let size = protobuf_c_message_get_packed_size(base)
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { bytes in
            protobuf_c_message_pack(base, bytes.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
    }
}

extension MessageBuilder {
    fileprivate func hello(_ hello: Hello) -> UnsafeMutablePointer<Semcached__V1__Hello> {
        let packed = self.make(semcached__v1__hello__init)
        packed.pointee.minimum_version = hello.minimumVersion
        packed.pointee.maximum_version = hello.maximumVersion
        packed.pointee.client_name = self.bytes(hello.clientName)
        switch hello.credential {
        case .none:
            break
        case .apiKey(let key):
            packed.pointee.credential_case = SEMCACHED__V1__HELLO__CREDENTIAL_API_KEY
            packed.pointee.api_key = self.bytes(key)
        case .token(let token):
            packed.pointee.credential_case = SEMCACHED__V1__HELLO__CREDENTIAL_TOKEN
            packed.pointee.token = self.bytes(token)
        }
        return packed
    }

    fileprivate func call(_ call: Call) -> UnsafeMutablePointer<Semcached__V1__Call> {
        let packed = self.make(semcached__v1__call__init)
        packed.pointee.id = call.id
        packed.pointee.deadline_ms = call.deadline.map { UInt32(clamping: max(1, $0.wholeMilliseconds)) } ?? 0
        packed.pointee.traceparent = self.bytes(call.traceparent)
        packed.pointee.tenant = self.bytes(call.tenant ?? "")
        guard case .success(let request) = call.request else { preconditionFailure("a refused call is not sent") }
        switch request {
        case .lookup(let lookup):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_LOOKUP
            packed.pointee.lookup = self.lookup(lookup)
        case .store(let store):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_STORE
            packed.pointee.store = self.store(store)
        case .invalidate(let invalidate):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_INVALIDATE
            packed.pointee.invalidate = self.invalidate(invalidate)
        case .stats(let cache):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_STATS
            packed.pointee.stats = self.make(semcached__v1__stats_request__init)
            packed.pointee.stats.pointee.cache = self.bytes(cache ?? "")
        case .export(let export):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_EXPORT
            packed.pointee.export = self.export(export)
        case .embed(let embed):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_EMBED
            packed.pointee.embed = self.embed(embed)
        case .lease(let lease):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_LEASE
            packed.pointee.lease = self.lease(lease)
        case .feedback(let feedback):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_FEEDBACK
            packed.pointee.feedback = self.feedback(feedback)
        case .labels(let labels):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_LABELS
            packed.pointee.labels = self.labels(labels)
        case .ping:
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_PING
            packed.pointee.ping = self.make(semcached__v1__ping_request__init)
        }
        return packed
    }
}
