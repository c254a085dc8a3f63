// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import OpenSSLTLS

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension RedisError {
    /// Why there is no connection.
    ///
    /// A certificate that is not accepted, on either side, will not be in a moment either: that is a setting to mend.
    init(connecting error: any Error) {
        switch error {
        case let error as NIOConnectionError where error.connectionErrors.last?.error is TLSError:
            self.init(connecting: error.connectionErrors.last?.error ?? error)
        case let error as TLSError where error.code == .notTLS:
            self.init(
                .misconfigured, "the server does not speak TLS: name its port for it, or begin the URL with redis")
        case let error as TLSError:
            self.init(error.isPassing ? .unreachable : .misconfigured, connectFailureReason(error))
        default:
            self.init(.unreachable, connectFailureReason(error))
        }
    }
}

/// Says in a few words why there is no connection, such as "Connection refused".
func connectFailureReason(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
        if let failure = error.connectionErrors.last { return connectFailureReason(failure.error) }
        return "the name of the host is not known"
    case let error as IOError:
        return String(cString: strerror(error.errnoCode))
    case ChannelError.connectTimeout:
        return "no answer in time"
    case let error as TLSError:
        // Names files and alerts at most.
        return "TLS: \(error.message)"
    default:
        // What another error says may hold anything.
        return "\(type(of: error))"
    }
}
