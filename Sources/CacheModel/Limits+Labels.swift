// SPDX-License-Identifier: Apache-2.0

extension Limits {
    /// Decisions in a page of Labels: some 40 bytes each.
    package static let maximumLabelsPage = 1024
}
