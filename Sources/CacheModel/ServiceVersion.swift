// SPDX-License-Identifier: Apache-2.0

package enum ServiceVersion {
    package static let current = "0.1.0"
    /// Versions of the native protocol that this build speaks.
    package static let protocolVersions: ClosedRange<UInt32> = 1...1
}
