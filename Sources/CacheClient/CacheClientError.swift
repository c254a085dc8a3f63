// SPDX-License-Identifier: Apache-2.0

import CacheModel
import OpenSSLTLS

/// Why a call was refused or failed. A miss is an answer, not an error.
public struct CacheClientError: Error, Sendable, Hashable {
    /// What kind of fault it is. The raw value is the status code on the wire, which is gRPC's.
    public enum Code: UInt32, Sendable, CaseIterable {
        /// The caller's task was cancelled.
        case cancelled = 1
        /// The request can never succeed as it is; see ``CacheClientError/field``.
        case invalidArgument = 3
        /// There was no answer in time.
        case deadlineExceeded = 4
        /// What the request names does not exist.
        case notFound = 5
        /// The credential does not allow the operation.
        case permissionDenied = 7
        /// A queue or a quota is full. Worth trying again later.
        case resourceExhausted = 8
        /// The server is not in a state in which it could serve the request.
        case failedPrecondition = 9
        /// Something that came between has made the request void.
        case aborted = 10
        /// The server does not know the request, or speaks no version of the protocol that this client does.
        case unimplemented = 12
        /// A fault in the server, or bytes that are no reply.
        case `internal` = 13
        /// There is no connection, it was lost, or the server cannot serve now. Worth trying again later.
        case unavailable = 14
        /// The server does not accept the credential.
        case unauthenticated = 16
    }

    /// Where the fault was found.
    public enum Origin: Sendable, Hashable {
        /// Before anything was sent, or while waiting for the answer.
        case client
        /// There was no connection, or it was lost, or the peer is not a server.
        case connection
        /// The server said so.
        case server
    }

    /// What a caller switches on.
    public let code: Code
    /// For humans, in one line. Never contains a prompt, a response, a vector or a credential.
    public let message: String
    /// The field of the request that is at fault, by its name on the wire; or `tls` where there is no agreement on that.
    public let field: String?
    /// Where the fault was found.
    public let origin: Origin
    /// When it is worth trying again, if the server knows; at least a millisecond.
    public let retryAfter: Duration?

    /// Makes an error, as a stand-in for a client in tests may need to.
    public init(
        _ code: Code, _ message: String, field: String? = nil, origin: Origin = .client, retryAfter: Duration? = nil
    ) {
        self.code = code
        self.message = message
        self.field = field
        self.origin = origin
        self.retryAfter = retryAfter
    }
}

extension CacheClientError: CustomStringConvertible {
    /// Code and message.
    public var description: String { "\(self.code): \(self.message)" }
}

extension CacheClientError.Code {
    /// As everywhere: `invalid_argument`.
    package var label: String { CacheError.Code(rawValue: self.rawValue)?.label ?? "\(self)" }
}

extension CacheClientError {
    init(_ error: CacheError, origin: Origin) {
        self.init(
            Code(rawValue: error.code.rawValue) ?? .internal, error.message, field: error.field, origin: origin,
            retryAfter: error.retryAfter)
    }

    static let closed = Self(.unavailable, "the client is closed")
    static let cancelled = Self(.cancelled, "the task that made the call was cancelled")

    static let stopping = Self(.unavailable, "the server is stopping", origin: .connection)

    static func deadlineExceeded(beforeSending isWaiting: Bool) -> Self {
        Self(
            .deadlineExceeded,
            isWaiting ? "the call did not get a connection in time" : "the server did not answer in time")
    }

    static func unreachable(_ address: ServerAddress, _ reason: String, field: String? = nil) -> Self {
        Self(.unavailable, "cannot connect to \(address): \(reason)", field: field, origin: .connection)
    }

    static func unreachable(_ address: ServerAddress, _ error: TLSError) -> Self {
        .unreachable(address, error.reason, field: "tls")
    }

    static func lost(_ address: ServerAddress, _ reason: String) -> Self {
        Self(.unavailable, "the connection to \(address) was lost: \(reason)", origin: .connection)
    }

    static func malformed(_ reason: String) -> Self {
        Self(.internal, "the peer is no server that this client understands: \(reason)", origin: .connection)
    }
}
