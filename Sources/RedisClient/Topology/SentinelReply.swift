// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What sentinels and servers say about who is the primary.
enum SentinelReply {
    /// Reads a reply to `SENTINEL GET-MASTER-ADDR-BY-NAME`.
    ///
    /// - Returns: `nil` if the sentinel does not know the service.
    static func primary(_ reply: RESPValue, from asked: RedisAddress) throws(RedisError) -> RedisAddress? {
        switch reply {
        case .null:
            return nil
        case .array(let parts):
            guard parts.count == 2, case .bytes(let host) = parts[0], case .bytes(let port) = parts[1],
                host.readableBytes > 0, let number = Int64(String(buffer: port)),
                let address = RedisAddress(announced: String(buffer: host), port: number, by: asked)
            else { fallthrough }
            return address
        default:
            throw RedisError(.protocolViolation, "a sentinel's reply to GET-MASTER-ADDR-BY-NAME makes no sense")
        }
    }

    /// Reads a reply to `ROLE`.
    static func isPrimary(_ reply: RESPValue) -> Bool {
        guard case .array(let parts) = reply, case .bytes(let role)? = parts.first else { return false }
        return String(buffer: role) == "master"
    }
}
