// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

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
    default:
        // What another error says may hold anything.
        return "\(type(of: error))"
    }
}
