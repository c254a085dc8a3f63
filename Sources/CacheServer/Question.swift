// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import CacheWire

/// What is told of a request once it is answered.
package struct Question: Sendable {
    /// `nil` if it cannot be told.
    let method: ServiceMethod?
    let origin: CallOrigin
    /// For whom it was asked; `nil` as long as that is not known.
    package var tenant: TenantScope?
    let arrival: ContinuousClock.Instant

    package init(
        _ method: ServiceMethod?, from origin: CallOrigin, of tenant: TenantScope? = nil,
        at arrival: ContinuousClock.Instant = .now
    ) {
        self.method = method
        self.origin = origin
        self.tenant = tenant
        self.arrival = arrival
    }
}
