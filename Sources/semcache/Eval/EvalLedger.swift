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

    func stored(_ entry: CacheEntryID, for label: Int) { self.state.withLock { $0.labels[entry] = label } }

    func label(of entry: CacheEntryID) -> Int? { self.state.withLock { $0.labels[entry] } }
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
