// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// What a server is shown to be let in. However it is printed, it does not show its secret.
public enum CacheCredential: Sendable, Hashable {
    /// For a server without credentials, which listens on loopback only.
    case none
    /// At most 512 bytes.
    case apiKey(String)
    /// A JSON Web Token in its compact form; at most 8 KiB. The server ends the connection when it expires.
    case token(String)
}

extension CacheCredential: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Which kind it is.
    public var description: String {
        switch self {
        case .none: "no credential"
        case .apiKey: "an API key"
        case .token: "a token"
        }
    }

    /// Which kind it is.
    public var debugDescription: String { self.description }

    /// Has no children: `dump` and its like see nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension CacheCredential {
    var credential: Credential {
        switch self {
        case .none: .none
        case .apiKey(let key): .apiKey(key)
        case .token(let token): .token(token)
        }
    }
}

extension ClientConfiguration {
    /// Why no server could be told what is configured; `nil` if it can.
    var fault: CacheClientError? {
        guard (1...ClientLimits.maximumEndpoints).contains(self.addresses.count) else {
            let message = "has \(self.addresses.count) addresses, 1 to \(ClientLimits.maximumEndpoints) are possible"
            return .invalid("server", message)
        }
        let texts: [(field: String, text: String, limit: Int)] =
            switch self.credential {
            case .none: []
            case .apiKey(let key): [("api_key", key, Limits.maximumAPIKeyBytes)]
            case .token(let token): [("token", token, Limits.maximumTokenBytes)]
            }
        for (field, text, limit) in texts + [("tenant", self.tenant ?? "x", Limits.maximumTenantNameBytes)] {
            guard !text.isEmpty else { return .invalid(field, "is empty") }
            let bytes = text.utf8.count
            guard bytes <= limit else { return .invalid(field, "has \(bytes) bytes, the limit is \(limit)") }
        }
        let bytes = self.clientName.utf8.count
        guard bytes <= Limits.maximumClientNameBytes else {
            return .invalid("client_name", "has \(bytes) bytes, the limit is \(Limits.maximumClientNameBytes)")
        }
        return nil
    }
}
