// SPDX-License-Identifier: Apache-2.0

import NIOCore
import OpenSSLTLS

enum RedisTLS {
    /// Encrypts connections; certificates are read again once their files have changed.
    ///
    /// - Throws: `.misconfigured` with the file that cannot be used.
    static func security(_ configuration: TLSClientConfiguration) throws(RedisError) -> RedisTransportSecurity {
        do throws(TLSError) {
            let context = try RenewedTLSContext(configuration)
            return { channel, host in
                let handler = TLSHandler(try context.current(), peerName: host)
                try channel.pipeline.syncOperations.addHandler(handler, position: .first)
            }
        } catch {
            throw RedisError(connecting: error)
        }
    }
}
