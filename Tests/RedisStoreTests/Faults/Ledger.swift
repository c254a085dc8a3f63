// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Synchronization

/// What callers were told of each item's changes, and what therefore a read must find.
final class Ledger: Sendable {
    /// What the servers themselves may lose.
    enum Loss: Sendable {
        case nothing
        /// Entries that were stored, but no removal.
        case entries
        /// Changes since the last ``Ledger/settle(_:)``: what is found may be as old as that.
        case changes
    }

    struct Record: Sendable {
        /// The highest version that was sent.
        var attempted = 0
        /// The highest version whose put was acknowledged.
        var acknowledged = 0
        /// All versions up to this one were removed, and that was acknowledged.
        var removed = 0
        /// Whether a put was acknowledged, and no removal was sent since.
        var isThere = false
        var removalsSent = 0
        /// The oldest version that may be found though changes were lost; 0: none need be there.
        var settled = 0
        var changesSinceSettled = 0
    }

    private struct State {
        var records: [Record]
        var loss = Loss.nothing
        var violations: [String] = []
    }

    /// By owner.
    let items: [[LedgerItem]]
    private let state: Mutex<State>

    init(_ items: [[LedgerItem]]) {
        self.items = items
        self.state = Mutex(State(records: [Record](repeating: Record(), count: items.joined().count)))
    }

    /// The first twenty.
    var violations: [String] { self.state.withLock { $0.violations } }

    func note(violation: String) {
        self.state.withLock { if $0.violations.count < 20 { $0.violations.append(violation) } }
    }

    func record(of item: LedgerItem) -> Record { self.state.withLock { $0.records[item.index] } }

    /// From now on servers may lose this.
    func allow(_ loss: Loss) { self.state.withLock { $0.loss = loss } }

    // MARK: Changes

    /// - Returns: The version to put.
    func beginPut(_ item: LedgerItem) -> Int {
        self.state.withLock { state in
            state.records[item.index].attempted += 1
            state.records[item.index].changesSinceSettled += 1
            return state.records[item.index].attempted
        }
    }

    func acknowledgePut(_ item: LedgerItem, version: Int) {
        self.state.withLock { state in
            state.records[item.index].acknowledged = version
            state.records[item.index].isThere = true
        }
    }

    func beginRemoval(of items: [LedgerItem]) {
        self.state.withLock { state in
            for item in items {
                state.records[item.index].isThere = false
                state.records[item.index].removalsSent += 1
                state.records[item.index].changesSinceSettled += 1
            }
        }
    }

    /// As only the owner changes them, all that was sent before is older than the removal.
    func acknowledgeRemoval(of items: [LedgerItem]) {
        self.state.withLock { state in
            for item in items { state.records[item.index].removed = state.records[item.index].attempted }
        }
    }

    // MARK: Reads

    /// Judges what a read has found.
    ///
    /// - Parameters:
    ///   - version: `nil` if it found nothing.
    ///   - before: The record when the read began.
    func judge(_ item: LedgerItem, found version: Int?, before: Record, by kind: String) {
        self.state.withLock { state in
            let after = state.records[item.index]
            let problem: String? =
                switch (version, state.loss) {
                case (let version?, _) where version > after.attempted: "is of the future"
                case (let version?, .changes):
                    version < before.settled ? "is older than what had been settled" : nil
                case (let version?, _) where version <= before.removed: "was removed"
                case (let version?, _) where version < before.acknowledged: "is outdated"
                case (nil, .nothing) where before.isThere && before.removalsSent == after.removalsSent: "is lost"
                case (nil, .changes)
                where before.settled > 0 && before.changesSinceSettled == 0 && after.changesSinceSettled == 0:
                    "is lost"
                default: nil
                }
            guard let problem, state.violations.count < 20 else { return }
            state.violations.append(
                "\(kind): version \(version.map(String.init) ?? "none") of item \(item.index) \(problem): \(before)")
        }
    }

    // MARK: Loss

    /// Takes what is there for what was acknowledged, while nobody changes anything.
    ///
    /// - Parameter found: By item; `nil` where nothing is there.
    func settle(_ found: [Int?]) {
        self.state.withLock { state in
            for (index, version) in found.enumerated() {
                let attempted = state.records[index].attempted
                state.records[index].isThere = version != nil
                state.records[index].acknowledged = version ?? 0
                state.records[index].removed = version.map { $0 - 1 } ?? attempted
                state.records[index].settled = version ?? 0
                state.records[index].changesSinceSettled = 0
            }
        }
    }
}
