// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Why a token is not let in. The texts are constant: nothing of a token gets into an error.
enum TokenFault: String, Error {
    case tooLong = "the token is too long"
    case malformed = "the token is not a JSON Web Token"
    case algorithm = "the token is signed with an algorithm that is not allowed"
    case extended = "the token demands an extension"
    case unknownKey = "no key fits the token"
    case signature = "the token's signature is wrong"
    case issuer = "the token is of another issuer"
    case audience = "the token is for another audience"
    case noExpiry = "the token does not say when it expires"
    case expired = "the token has expired"
    case early = "the token is not valid yet"
    case tenant = "the token names no valid tenant"
    case roles = "the token grants no role"
    case keys = "keys cannot be fetched"

    var error: CacheError {
        switch self {
        case .keys: CacheError(.unavailable, self.rawValue, retryAfter: Limits.keyFirstFetchInterval)
        default: CacheError(.unauthenticated, self.rawValue)
        }
    }
}
