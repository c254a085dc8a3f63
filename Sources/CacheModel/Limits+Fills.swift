// SPDX-License-Identifier: Apache-2.0

/// Limits of leases on making an answer, and of those who wait for one.
extension Limits {
    /// For how long a lease may be asked: less than a second no model answers in; what lasts longer than ten minutes is
    /// kept by prolonging it, so that a holder that died does not keep the others for longer.
    package static let leaseTimeToLive = Duration.seconds(1)...Duration.seconds(600)
    /// Of one that names none.
    package static let defaultLeaseTimeToLive = Duration.seconds(30)
    /// Leases that a store which keeps them in memory has at once, of one tenant and of all; some 200 bytes each.
    package static let leasesPerTenant = 10_000
    package static let leases = 100_000
    /// Prompts of which a process knows that their answer is being made. What is above it asks the store each time.
    package static let fillsKnown = 100_000
    /// Lookups that wait for an answer in one process; one more is told at once that it is being made.
    package static let fillWaiters = 20_000
    /// Between two looks into a store that others share, while nobody tells what they do.
    package static let fillPollInterval = Duration.milliseconds(250)
    /// Looks for one Lookup that find another entry each time, before it is answered without a lease.
    package static let fillAttempts = 16
    /// A tenth of a call's time, and not more than this, is left to a Lookup that has waited for something in vain.
    package static let answerTime = Duration.milliseconds(50)
}
