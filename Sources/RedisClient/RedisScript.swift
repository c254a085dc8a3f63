// SPDX-License-Identifier: Apache-2.0

/// A Lua script that a server runs by its SHA-1.
///
/// It is loaded where a server says `NOSCRIPT`, so a restart or a failover costs one more round trip and nothing else.
package struct RedisScript: Sendable {
    package let source: String
    /// 40 lower-case hexadecimal digits.
    package let sha1: String
    /// Whether to run it again is safe though it may have run.
    package let isRepeatable: Bool

    package init(_ source: String, isRepeatable: Bool) {
        self.source = source
        self.sha1 = SHA1.hexadecimal(of: source)
        self.isRepeatable = isRepeatable
    }
}
