// SPDX-License-Identifier: Apache-2.0

/// Where a server of a cluster sends a command on to: `MOVED 3999 127.0.0.1:6381`, `ASK 3999 127.0.0.1:6381`.
struct Redirection: Sendable, Equatable {
    let slot: UInt16
    let address: RedisAddress

    /// - Parameter asked: The server that said it; a redirection without a host means another port of its.
    init?(_ text: String, from asked: RedisAddress) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, let slot = UInt16(words[1]), slot < RedisSlot.count,
            let colon = words[2].lastIndex(of: ":"), let port = Int64(words[2][colon...].dropFirst()),
            let address = RedisAddress(announced: String(words[2][..<colon]), port: port, by: asked)
        else { return nil }
        self.slot = slot
        self.address = address
    }
}

extension RedisAddress {
    /// An address that a server named.
    ///
    /// - Parameters:
    ///   - host: Empty for the one that was asked.
    ///   - asked: Who named it.
    /// - Returns: `nil` for what can be no address; `?` is how a server says that it does not know.
    init?(announced host: String, port: Int64, by asked: Self) {
        let isIPv6 = host.contains(":")
        guard (1...65_535).contains(port), host.utf8.count <= RedisLimits.maximumHostBytes, host != "?",
            host.utf8.allSatisfy({ isIPv6 ? $0.isOfIPv6 : $0.isOfHostName })
        else { return nil }
        self.init(host: host.isEmpty ? asked.host : host, port: Int(port))
    }
}
