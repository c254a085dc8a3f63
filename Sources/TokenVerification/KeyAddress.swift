// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials

/// The URL of a key set.
enum KeyAddress {
    /// Whoever can change the answer can make tokens, so it comes encrypted or does not leave the machine.
    static func validate(_ text: String) throws(CacheError) {
        guard let url = URL(string: text), let host = url.host(), !host.isEmpty else {
            throw .invalidArgument("keys_url", "is not a URL with a host")
        }
        guard url.user() == nil, url.password() == nil else {
            throw .invalidArgument("keys_url", "has a user or a password")
        }
        switch url.scheme?.lowercased() {
        case "https": return
        case "http" where self.isLoopback(host): return
        case "http": throw .invalidArgument("keys_url", "must be https: its host is not this machine")
        default: throw .invalidArgument("keys_url", "must be https")
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if ["localhost", "::1", "[::1]"].contains(host.lowercased()) { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
