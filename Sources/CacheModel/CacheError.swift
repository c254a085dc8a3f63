// SPDX-License-Identifier: Apache-2.0

/// Why a call was refused or failed. A miss is an outcome, not an error.
package struct CacheError: Error, Sendable, Hashable {
    /// Codes of gRPC; the raw value is the one on the wire.
    package enum Code: UInt32, Sendable, CaseIterable {
        case cancelled = 1
        case invalidArgument = 3
        case deadlineExceeded = 4
        case notFound = 5
        case permissionDenied = 7
        case resourceExhausted = 8
        case failedPrecondition = 9
        case aborted = 10
        case unimplemented = 12
        case `internal` = 13
        case unavailable = 14
        case unauthenticated = 16

        /// In logs, spans and metrics: `invalid_argument`.
        package var label: String {
            switch self {
            case .cancelled: "cancelled"
            case .invalidArgument: "invalid_argument"
            case .deadlineExceeded: "deadline_exceeded"
            case .notFound: "not_found"
            case .permissionDenied: "permission_denied"
            case .resourceExhausted: "resource_exhausted"
            case .failedPrecondition: "failed_precondition"
            case .aborted: "aborted"
            case .unimplemented: "unimplemented"
            case .internal: "internal"
            case .unavailable: "unavailable"
            case .unauthenticated: "unauthenticated"
            }
        }
    }

    package let code: Code
    /// For humans. Never contains a prompt, a response, a vector or a secret.
    package let message: String
    /// The field of the request that is at fault.
    package let field: String?
    /// When it is worth trying again; at least a millisecond.
    package let retryAfter: Duration?

    package init(_ code: Code, _ message: String, field: String? = nil, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.field = field
        self.retryAfter = retryAfter
    }

    package static func invalidArgument(_ field: StaticString, _ fault: String) -> Self {
        Self(.invalidArgument, "\(field) \(fault)", field: "\(field)")
    }

    package static func tooLong(_ field: StaticString, _ bytes: Int, limit: Int) -> Self {
        .invalidArgument(field, "has \(bytes) bytes, the limit is \(limit)")
    }

    package static func tooMany(_ field: StaticString, _ count: Int, limit: Int) -> Self {
        .invalidArgument(field, "has \(count) elements, the limit is \(limit)")
    }

    package static func notUTF8(_ field: StaticString) -> Self { .invalidArgument(field, "is not valid UTF-8") }
}

extension CacheError: CustomStringConvertible {
    package var description: String { "\(self.code): \(self.message)" }
}
