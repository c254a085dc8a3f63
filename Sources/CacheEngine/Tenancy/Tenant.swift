// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// A tenant under the policy of one configuration.
package final class Tenant: Sendable {
    package let scope: TenantScope
    package let policy: TenantPolicy
    package let account: TenantAccount
    /// What it takes to be answered from memory.
    package let lease: MemoryLease
    /// Of the configuration; see ``CacheEngine/isCurrent(_:)``.
    let generation: UInt64

    init(scope: TenantScope, policy: TenantPolicy, account: TenantAccount, lease: MemoryLease, generation: UInt64) {
        self.scope = scope
        self.policy = policy
        self.account = account
        self.lease = lease
        self.generation = generation
    }

    /// Checks a request against the tenant's rate and size.
    ///
    /// - Parameter bytes: Of its body.
    /// - Throws: ``CacheError`` with `.resourceExhausted`.
    package func admit(bytes: Int, at now: Timestamp) throws(CacheError) {
        try self.account.admit(self.policy.quota, bytes: bytes, at: now)
    }

    /// Whether a request is within the tenant's rate and size; counts no refusal, for whoever asks will ask again by
    /// ``admit(bytes:at:)`` and answer with its reason.
    package func takes(bytes: Int, at now: Timestamp) -> Bool {
        self.account.takes(self.policy.quota, bytes: bytes, at: now)
    }

    /// Begins a call; ``TenantAccount/endCall()`` must follow.
    ///
    /// - Throws: ``CacheError`` with `.resourceExhausted`.
    package func beginCall() throws(CacheError) { try self.account.beginCall(self.policy.quota) }

    var storeQuota: StoreQuota { StoreQuota(entries: self.policy.quota.entries, bytes: self.policy.quota.bytes) }
}
