// SPDX-License-Identifier: Apache-2.0

import NIOCore
import OpenSSLTLS

enum RedisTLS {
    /// Encrypts connections; certificates are read again once their files have changed.
    ///
    /// - Parameter report: Gets what is wrong with files that have changed; those before them stay in force.
    /// - Throws: `.misconfigured` with the file that cannot be used.
    static func security(
        _ configuration: TLSClientConfiguration, report: @escaping @Sendable (TLSError) -> Void
    ) throws(RedisError) -> RedisTransportSecurity {
        do throws(TLSError) {
            let context = try RenewedTLSContext(configuration, report: report)
            return { channel, host in
                let handler = TLSHandler(context.current(), peerName: host)
                try channel.pipeline.syncOperations.addHandler(handler, position: .first)
            }
        } catch {
            throw RedisError(connecting: error)
        }
    }
}
