// SPDX-License-Identifier: Apache-2.0

/// Finds answers in a history that no cache which keeps its promises could have given.
///
/// Each Lookup is judged by itself: is there an order of what overlapped in which its answer is what was there? A change
/// that was acknowledged lies between its call and its end, so it surely lies between a Store and a Lookup if it was
/// called after the Store's end and ended before the Lookup's call. One that was not acknowledged proves nothing.
/// O(n log n).
package struct HistoryChecker {
    package struct Violation: Hashable, Sendable {
        package enum Kind: String, Hashable, Sendable, CaseIterable {
            /// The answer was removed, the removal was acknowledged, and then the Lookup began.
            case stale
            /// The same with a Store that replaced the answer.
            case overwritten
            /// The answer is another tenant's.
            case foreign
            /// Nobody had stored the answer before the Lookup ended.
            case neverStored
        }

        package let kind: Kind
        /// Position of the Lookup in the history.
        package let lookup: Int
        /// Of the Store of what it answered, if there is one.
        package let store: Int?
        /// Of the change after which it may not be answered.
        package let change: Int?
    }

    private typealias Operation = CacheHistory.Operation

    /// What changes are looked up by.
    private enum Subject: Hashable {
        case replacements(tenant: String, prompt: String)
        case prompt(tenant: String, String)
        case tag(tenant: String, String)
        case everything(tenant: String)
    }

    private struct StoredValue {
        let position: Int
        let prompt: String
        let tags: [String]
    }

    private let operations: [Operation]
    private var values: [String: StoredValue] = [:]
    private var changes: [Subject: AcknowledgedChanges] = [:]

    /// - Precondition: No value is stored twice.
    package init(_ history: CacheHistory) {
        self.operations = history.operations
        var intervals: [Subject: [AcknowledgedChanges.Interval]] = [:]
        for (position, operation) in self.operations.enumerated() {
            let tenant = operation.tenant
            var subjects: [Subject] = []
            switch operation.action {
            case .lookup: continue
            case .store(let value, let prompt, let tags):
                let known = self.values.updateValue(
                    StoredValue(position: position, prompt: prompt, tags: tags), forKey: value)
                precondition(known == nil, "the value \(value) is stored twice")
                subjects = [.replacements(tenant: tenant, prompt: prompt)]
            case .invalidate(.prompts(let prompts)): subjects = prompts.map { .prompt(tenant: tenant, $0) }
            case .invalidate(.tag(let tag)): subjects = [.tag(tenant: tenant, tag)]
            case .invalidate(.everything): subjects = [.everything(tenant: tenant)]
            }
            guard let end = operation.end else { continue }
            for subject in subjects {
                intervals[subject, default: []].append(.init(start: operation.start, end: end, position: position))
            }
        }
        self.changes = intervals.mapValues { AcknowledgedChanges($0) }
    }

    /// In the order of the Lookups; at most one of each kind for each.
    package func violations() -> [Violation] {
        var found: [Violation] = []
        for (position, operation) in self.operations.enumerated() {
            guard case .lookup(let answer?) = operation.action, let end = operation.end else { continue }
            guard let value = self.values[answer], self.operations[value.position].start <= end else {
                found.append(Violation(kind: .neverStored, lookup: position, store: nil, change: nil))
                continue
            }
            let store = self.operations[value.position]
            if store.tenant != operation.tenant {
                found.append(Violation(kind: .foreign, lookup: position, store: value.position, change: nil))
            }
            // A Store that was not acknowledged may come whenever it likes.
            guard let stored = store.end else { continue }
            for (kind, subjects) in self.subjects(of: value, tenant: store.tenant) {
                let changes = subjects.lazy.compactMap {
                    self.changes[$0]?.change(after: stored, before: operation.start)
                }
                guard let change = changes.first else { continue }
                found.append(Violation(kind: kind, lookup: position, store: value.position, change: change))
            }
        }
        return found
    }

    /// What would have ended a value.
    private func subjects(of value: StoredValue, tenant: String) -> [(Violation.Kind, [Subject])] {
        let tags = value.tags.map { Subject.tag(tenant: tenant, $0) }
        return [
            (.stale, [.prompt(tenant: tenant, value.prompt), .everything(tenant: tenant)] + tags),
            (.overwritten, [.replacements(tenant: tenant, prompt: value.prompt)]),
        ]
    }
}

/// Changes of one subject, each with the time in which it happened for certain.
private struct AcknowledgedChanges {
    struct Interval {
        let start: Int64
        let end: Int64
        let position: Int
    }

    /// By start.
    private let intervals: [Interval]
    /// For each of them, the one that ended first of it and all later ones.
    private let firstToEnd: [Int]

    init(_ unsorted: [Interval]) {
        let intervals = unsorted.sorted { ($0.start, $0.position) < ($1.start, $1.position) }
        var firstToEnd = Array(intervals.indices)
        for index in intervals.indices.dropLast().reversed()
        where intervals[firstToEnd[index + 1]].end < intervals[index].end {
            firstToEnd[index] = firstToEnd[index + 1]
        }
        self.intervals = intervals
        self.firstToEnd = firstToEnd
    }

    /// - Returns: The position of one that was called after a moment and ended before another.
    func change(after start: Int64, before end: Int64) -> Int? {
        var (low, high) = (0, self.intervals.count)
        while low < high {
            let middle = (low + high) / 2
            if self.intervals[middle].start > start { high = middle } else { low = middle + 1 }
        }
        guard low < self.intervals.count else { return nil }
        let first = self.intervals[self.firstToEnd[low]]
        return first.end < end ? first.position : nil
    }
}
