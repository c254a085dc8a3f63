// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// How a ``CacheClient`` behaves.
public struct ClientConfiguration: Sendable {
    /// Where the server listens.
    public var address: ServerAddress

    /// How the connection is protected. An address of `semcached+tls://` makes it TLS, with its defaults, where this is
    /// `.plaintext`.
    public var transportSecurity = TransportSecurity.plaintext

    /// Time that a call may take, with connecting and waiting for its turn. A call can name its own.
    public var timeout: Duration = .seconds(10)

    /// Time in which a connection must be made, be secured and the server must have said that it accepts it.
    public var connectTimeout: Duration = .seconds(5)

    /// Calls that may be under way at once, if fewer than the server allows. The rest wait, first come, first served.
    public var maximumCallsInFlight: Int?

    /// Calls that may wait for their turn; beyond it a call fails with `.resourceExhausted`.
    public var maximumWaitingCalls = 16_384

    /// Whether a call whose connection is lost is made once more, within its deadline, on the next one.
    ///
    /// Every operation may be repeated: a Lookup and an Invalidate by nature, a Store because the same prompt replaces
    /// its own entry. What changes is what is reported: a repeated Store may say that it replaced an entry, and a
    /// repeated Invalidate that it removed fewer, since the first attempt may have been carried out.
    public var retriesLostCalls = true

    /// Whether a call waits, up to its deadline, while the server cannot be reached.
    ///
    /// By default it fails at once, so that a cache that is down does not slow its callers.
    public var waitsForConnection = false

    /// Time from when a server said that it stops in which calls wait for the one that takes its place, or for its
    /// return, within their own timeouts, instead of failing at once.
    public var handoverPatience: Duration = .seconds(5)

    /// Time after the first failed attempt to connect before the next; doubles with each further one, with jitter.
    public var minimumBackoff: Duration = .milliseconds(50)

    /// Longest time between two attempts to connect.
    public var maximumBackoff: Duration = .seconds(5)

    /// What the server is told about who calls; at most 256 bytes of UTF-8.
    public var clientName = "cache-client-swift/\(ServiceVersion.current)"

    /// What the server is shown to be let in.
    public var credential = CacheCredential.none

    /// For a gateway, whose credential says that it is one: the tenant for which it calls. Everybody else leaves it
    /// `nil`. At most 512 bytes of UTF-8.
    public var tenant: String?

    /// Makes a configuration that differs from the defaults in nothing but the address.
    public init(_ address: ServerAddress = .local) {
        self.address = address
    }
}
