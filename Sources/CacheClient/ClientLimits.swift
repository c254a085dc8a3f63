// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What the library bounds by itself. What a caller may choose is in ``ClientConfiguration``.
enum ClientLimits {
    /// Servers of one client. A set of them is a word of 64 bits.
    static let maximumEndpoints = 64
    /// Answers in a row that say that a server cannot serve, after which it is left alone for a while.
    static let failuresBeforeEjection = 3
    /// Time that an attempt to connect has for itself while calls wait, before another server is tried beside it.
    static let connectStagger = TimeAmount.milliseconds(250)
    /// Time in which the memory of how slow a server was is halved. Without it, one that was slow once would not be
    /// asked again, and nobody would learn that it has recovered.
    static let latencyHalfLife = TimeAmount.seconds(1)
    /// Servers that are quicker than that are equally quick: what is left is mostly chance.
    static let shortestLatency = TimeAmount.milliseconds(1)
}
