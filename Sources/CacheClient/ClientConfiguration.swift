// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// How a ``CacheClient`` behaves.
public struct ClientConfiguration: Sendable {
    /// Where the servers listen, 1…64: replicas of one service. Each has a connection of its own, made when there are
    /// calls for it. The same address may come more than once, as that of a load balancer.
    ///
    /// Of two servers taken by chance a call goes to the one that is less busy and was quicker. One that cannot be
    /// reached, that said that it stops or that keeps saying that it cannot serve gets none as long as another can take
    /// them.
    public var addresses: [ServerAddress]

    /// The first of ``addresses``; setting it makes it the only one.
    public var address: ServerAddress {
        get { self.addresses.first ?? .local }
        set { self.addresses = [newValue] }
    }

    /// How the connections are protected. An address of `semcached+tls://` makes it TLS for all of them, with its
    /// defaults, where this is `.plaintext`.
    public var transportSecurity = TransportSecurity.plaintext

    /// Time that a call may take, with connecting and waiting for its turn. A call can name its own.
    public var timeout: Duration = .seconds(10)

    /// Time in which a connection must be made, be secured and the server must have said that it accepts it.
    public var connectTimeout: Duration = .seconds(5)

    /// Calls that may be under way at once with each server, if fewer than it allows. The rest wait, first come, first
    /// served.
    public var maximumCallsInFlight: Int?

    /// Calls that may wait for their turn with each server; beyond it a call fails with `.resourceExhausted`.
    public var maximumWaitingCalls = 16_384

    /// Whether a call whose connection is lost is made once more, within its deadline: on the next connection, or, if
    /// there are ``addresses`` of several servers, with another one.
    ///
    /// With several servers no more than a tenth of all calls is sent a second time, hedges included, with some to begin
    /// with, so that repetitions do not add to the load of servers that are in trouble. A call that a server has answered
    /// is never repeated, even if the answer is an error.
    ///
    /// Every operation may be repeated, but for a Store under a lease, which that would have ended: a Lookup and an
    /// Invalidate by nature, another Store because the same prompt replaces its own entry. What changes is what is reported: a repeated Store may say that it replaced an entry, and a
    /// repeated Invalidate that it removed fewer, since the first attempt may have been carried out.
    public var retriesLostCalls = true

    /// Time after which a call without an answer is sent to a second server too, if there are several; never if `nil`.
    ///
    /// The first answer counts, and the other server is told to stop. Only what reads is sent twice: lookups, vectors of
    /// texts, statistics and pings. Choose what 19 of 20 calls stay below: then hedges are few.
    public var hedgeDelay: Duration?

    /// Whether a call waits, up to its deadline, while no server can be reached.
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

    /// What keeps repetitions and hedges few. Only several servers have one.
    var retryBudget = RetryBudget()

    /// Makes a configuration that differs from the defaults in nothing but the address.
    public init(_ address: ServerAddress = .local) {
        self.addresses = [address]
    }

    /// Makes one for several servers that differs from the defaults in nothing else.
    public init(_ addresses: [ServerAddress]) {
        self.addresses = addresses
    }
}
