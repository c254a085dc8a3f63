// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Synchronization

/// What the calls of one order share: which question is next, what was stored for which, and what became of each.
final class EvalLedger: Sendable {
    private struct State {
        var next = 0
        var events: [EvalEvent]
        /// For which label an entry was stored last.
        var labels: [CacheEntryID: Int] = [:]
        /// Places of the questions whose Store is under way.
        var stores: Set<Int> = []
        /// Who waits for the end of any of them.
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let order: [Int]
    private let progress: EvalProgress
    private let state: Mutex<State>

    init(_ order: [Int], progress: EvalProgress) {
        self.order = order
        self.progress = progress
        let events = Array(repeating: EvalEvent(outcome: .bypass), count: order.count)
        self.state = Mutex(State(events: events))
    }

    var events: [EvalEvent] { self.state.withLock { $0.events } }

    /// - Returns: Its place in the order and its number in the stream; `nil` at the end.
    func next() -> (position: Int, number: Int)? {
        let position = self.state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        return position < self.order.count ? (position, self.order[position]) : nil
    }

    func record(_ event: EvalEvent, at position: Int) {
        self.state.withLock { $0.events[position] = event }
        self.progress.played(position + 1, of: self.order.count)
    }

    /// A Store begins: its entry may be served before its receipt is here. Then ``endStore(at:_:for:)``, whatever becomes of
    /// it.
    func beginStore(at position: Int) { _ = self.state.withLock { $0.stores.insert(position) } }

    /// - Parameter entry: `nil` if it failed.
    func endStore(at position: Int, _ entry: CacheEntryID?, for label: Int) {
        let waiters = self.state.withLock { state in
            state.stores.remove(position)
            if let entry { state.labels[entry] = label }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// For which label an entry was stored. Waits for the Stores that are under way, if it may be one of theirs.
    ///
    /// - Returns: `nil` for an entry that this run has not stored.
    func label(of entry: CacheEntryID) async -> Int? {
        let begun = self.state.withLock { $0.stores }
        while true {
            let (label, isOver) = self.state.withLock { ($0.labels[entry], $0.stores.isDisjoint(with: begun)) }
            if label != nil || isOver { return label }
            await withCheckedContinuation { continuation in
                let isOver = self.state.withLock { state in
                    if state.labels[entry] != nil || state.stores.isDisjoint(with: begun) { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        }
    }
}

/// Says how far an order is, if somebody watches.
struct EvalProgress: Sendable {
    let name: String
    let isShown: Bool

    private static let step = 100

    func played(_ count: Int, of total: Int) {
        guard self.isShown, count % Self.step == 0 || count == total else { return }
        Output.progress("\r\u{1b}[K\(self.name): \(NumberText.grouped(count)) of \(NumberText.grouped(total))")
        if count == total { Output.progress("\r\u{1b}[K") }
    }
}

/// The caches that an evaluation plays in.
enum EvalCaches {
    /// - Parameter text: With `{order}` and `{run}` in it, perhaps.
    static func name(_ text: String, order: Int, run: String) -> String {
        text.replacing("{order}", with: "\(order)").replacing("{run}", with: run)
    }

    /// What the service says of its decisions on a cache; `nil` if the caller may not ask, it knows nothing yet, or it
    /// cannot be asked: what was played is worth more than what is said of it.
    static func decisions(of cache: String, _ client: CacheClient) async -> ServerStatistics.Decisions? {
        try? await client.statistics(of: cache).caches.first { $0.name == cache }?.decisions
    }

    /// Removes what was stored in caches.
    ///
    /// - Returns: Whether that was done in all of them; what was not is said.
    static func clean(_ caches: [String], _ client: CacheClient) async -> Bool {
        var isClean = true
        for cache in caches {
            do {
                _ = try await Patience.call { () async throws(CacheClientError) in
                    try await client.invalidate(.wholeCache, in: cache)
                }
            } catch {
                isClean = false
                let fault = CommandFault(error)?.text ?? "cancelled"
                Output.error("semcache: the cache \(Output.printable(cache)) is not cleaned: \(fault)")
            }
        }
        return isClean
    }

    /// - Throws: ``CommandFault`` if there are entries: what was stored before would be counted as wrong.
    static func checkEmpty(_ cache: String, _ client: CacheClient) async throws {
        let entries: UInt64?
        do throws(CacheClientError) {
            entries = try await client.statistics(of: cache).caches.first { $0.name == cache }?.entries
        } catch {
            guard error.code == .permissionDenied || error.code == .notFound else { throw error }
            return
        }
        guard let entries, entries > 0 else { return }
        throw CommandFault(
            "the cache \(Output.printable(cache)) has \(NumberText.grouped(entries)) entries already: name another one, "
                + "or remove them with semcache invalidate --all", code: "failed_precondition", field: "cache")
    }
}
