// SPDX-License-Identifier: Apache-2.0

extension DecisionStatistics {
    /// What ``refusals`` are counted by.
    package static let refusalReasons = Guard.allCases.map(\.rawValue) + ["risk", "blocked", "judge"]
}
