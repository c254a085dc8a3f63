// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import GRPCCore

/// What a call's metadata says besides what gRPC itself reads there.
extension Metadata {
    static let apiKeyName = "x-api-key"
    static let authorizationName = "authorization"
    static let tenantName = "x-semcache-tenant"
    private static let bearer = "bearer "

    /// - Throws: ``CacheError`` with `.unauthenticated` if there is more than one, or one of a kind that is not known.
    func credential() throws(CacheError) -> Credential {
        let key = try self.single(Self.apiKeyName, .unauthenticated)
        let authorization = try self.single(Self.authorizationName, .unauthenticated)
        switch (key, authorization) {
        case (nil, nil):
            return .none
        case (let key?, nil):
            guard !key.isEmpty, key.utf8.count <= Limits.maximumAPIKeyBytes else {
                throw CacheError(.unauthenticated, "the API key is not known")
            }
            return .apiKey(key)
        case (nil, let authorization?):
            guard authorization.prefix(Self.bearer.count).lowercased() == Self.bearer else {
                throw CacheError(.unauthenticated, "authorization must be `Bearer` and a token")
            }
            let token = String(authorization.dropFirst(Self.bearer.count))
            guard !token.isEmpty, token.utf8.count <= Limits.maximumTokenBytes else {
                throw CacheError(.unauthenticated, "the token is empty or has over \(Limits.maximumTokenBytes) bytes")
            }
            return .token(token)
        case (_?, _?):
            throw CacheError(.unauthenticated, "give an API key or a token, not both")
        }
    }

    /// The tenant that a gateway names: in ASCII, or as UTF-8 under the name with `-bin`, as metadata has it.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`.
    func tenant() throws(CacheError) -> String? {
        var values = self[Self.tenantName].map { $0 } + self[Self.tenantName + "-bin"].map { $0 }
        guard let value = values.popLast() else { return nil }
        // Two readers of the same call might each believe another one of them.
        guard values.isEmpty else { throw .invalidArgument("tenant", "is there more than once") }
        let name: String
        switch value {
        case .string(let text):
            // What is no base64 comes as the text that it is.
            guard self[Self.tenantName].contains(where: { _ in true }) else {
                throw .invalidArgument("tenant", "is no base64")
            }
            // Other bytes would have been replaced on the way here.
            guard text.utf8.allSatisfy({ $0 < 0x80 }) else { throw .invalidArgument("tenant", "is not ASCII") }
            name = text
        case .binary(let bytes):
            guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8("tenant") }
            name = text
        }
        guard !name.utf8.contains(0) else { throw .invalidArgument("tenant", "contains a NUL") }
        guard name.utf8.count <= Limits.maximumTenantNameBytes else {
            throw .tooLong("tenant", name.utf8.count, limit: Limits.maximumTenantNameBytes)
        }
        return name.isEmpty ? nil : name
    }

    /// What may pass until the answer leaves.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` for a `grpc-timeout` that is none.
    func timeAllowed() throws(CacheError) -> Duration {
        guard let text = try self.single(CallTimeout.headerName, .invalidArgument) else {
            return Limits.defaultDeadline
        }
        guard let timeout = CallTimeout.duration(text) else {
            throw CacheError(.invalidArgument, "grpc-timeout is not 1 to 8 digits and a unit", field: "grpc-timeout")
        }
        // The caller's clock runs until the answer is there: what comes when the time is over is not seen.
        let way = Swift.min(timeout / 10, Limits.maximumAnswerTravel)
        return Swift.min(timeout - way, Limits.maximumDeadline)
    }

    var origin: CallOrigin {
        let traceparent = self.first("traceparent", limit: Limits.maximumTraceParentBytes)
        return CallOrigin(
            .grpc, traceparent: traceparent,
            tracestate: traceparent.isEmpty ? "" : self.first("tracestate", limit: Limits.maximumTraceStateBytes))
    }

    /// Empty if there is none, or one too long to be passed on.
    private func first(_ name: String, limit: Int) -> String {
        let value = self[stringValues: name].first { _ in true } ?? ""
        return value.utf8.count <= limit ? value : ""
    }

    private func single(_ name: String, _ code: CacheError.Code) throws(CacheError) -> String? {
        var values = self[stringValues: name].makeIterator()
        let value = values.next()
        guard values.next() == nil else { throw CacheError(code, "\(name) is there more than once", field: name) }
        return value
    }
}

/// The time that a caller is willing to wait.
enum CallTimeout {
    /// What `grpc-timeout` is called once it is here: by its own name gRPC would find it, and cancel the call when it is
    /// over, which is too late for an answer that says so.
    static let headerName = "semcache-timeout"

    /// Reads a timeout in gRPC's form.
    static func duration(_ text: String) -> Duration? {
        guard let unit = text.utf8.last, (2...9).contains(text.utf8.count) else { return nil }
        var amount: Int64 = 0
        for digit in text.utf8.dropLast() {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            amount = amount * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        switch unit {
        case UInt8(ascii: "H"): return .seconds(amount * 3600)
        case UInt8(ascii: "M"): return .seconds(amount * 60)
        case UInt8(ascii: "S"): return .seconds(amount)
        case UInt8(ascii: "m"): return .milliseconds(amount)
        case UInt8(ascii: "u"): return .microseconds(amount)
        case UInt8(ascii: "n"): return .nanoseconds(amount)
        default: return nil
        }
    }
}
