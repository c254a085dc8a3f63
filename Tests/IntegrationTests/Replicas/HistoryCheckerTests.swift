// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@Suite struct HistoryCheckerTests {
    private typealias Operation = CacheHistory.Operation
    private typealias Kind = HistoryChecker.Violation.Kind

    private static func lookup(_ answer: String?, _ start: Int64, _ end: Int64, of tenant: String = "a") -> Operation {
        Operation(tenant, .lookup(answer: answer), start: start, end: end)
    }

    private static func store(
        _ value: String, _ start: Int64, _ end: Int64?, prompt: String = "p", tags: [String] = ["t"],
        of tenant: String = "a"
    ) -> Operation {
        Operation(tenant, .store(value: value, prompt: prompt, tags: tags), start: start, end: end)
    }

    private static func remove(
        _ target: CacheHistory.Target, _ start: Int64, _ end: Int64?, of tenant: String = "a"
    ) -> Operation {
        Operation(tenant, .invalidate(target), start: start, end: end)
    }

    private func kinds(_ operations: Operation...) -> [Kind] {
        HistoryChecker(CacheHistory(operations)).violations().map(\.kind)
    }

    // MARK: By hand

    @Test(arguments: [
        CacheHistory.Target.prompts(["p"]), .prompts(["other", "p"]), .tag("t"), .everything,
    ])
    func `an answer after its acknowledged removal is stale`(target: CacheHistory.Target) {
        #expect(
            self.kinds(Self.store("v", 0, 1), Self.remove(target, 2, 3), Self.lookup("v", 4, 5)) == [.stale])
        // Whatever the order in which they were taken down.
        #expect(
            self.kinds(Self.lookup("v", 4, 5), Self.remove(target, 2, 3), Self.store("v", 0, 1)) == [.stale])
    }

    @Test func `what overlaps may have happened in either order`() {
        let removal = Self.remove(.everything, 10, 20)
        #expect(self.kinds(Self.store("v", 0, 5), removal, Self.lookup("v", 15, 30)) == [])
        #expect(self.kinds(Self.store("v", 0, 5), removal, Self.lookup("v", 20, 30)) == [])
        #expect(self.kinds(Self.store("v", 0, 15), removal, Self.lookup("v", 25, 30)) == [])
        #expect(self.kinds(Self.store("v", 0, 10), removal, Self.lookup("v", 25, 30)) == [])
        #expect(self.kinds(Self.store("v", 0, 9), removal, Self.lookup("v", 21, 30)) == [.stale])
    }

    @Test func `what was not acknowledged may happen at any time from its start on, or never`() {
        #expect(self.kinds(Self.store("v", 0, nil), Self.remove(.everything, 2, 3), Self.lookup("v", 4, 5)) == [])
        #expect(self.kinds(Self.store("v", 0, 1), Self.remove(.everything, 2, nil), Self.lookup("v", 4, 5)) == [])
        #expect(self.kinds(Self.store("v", 6, nil), Self.lookup("v", 4, 5)) == [.neverStored])
    }

    @Test func `a removal is of what it names, and of its own tenant`() {
        let (stored, answered) = (Self.store("v", 0, 1), Self.lookup("v", 4, 5))
        #expect(self.kinds(stored, Self.remove(.prompts(["other"]), 2, 3), answered) == [])
        #expect(self.kinds(stored, Self.remove(.tag("other"), 2, 3), answered) == [])
        #expect(self.kinds(stored, Self.remove(.everything, 2, 3, of: "b"), answered) == [])
    }

    @Test func `an answer that was stored again is another one`() {
        #expect(
            self.kinds(
                Self.store("v", 0, 1), Self.remove(.everything, 2, 3), Self.store("w", 4, 5), Self.lookup("w", 6, 7))
                == [])
    }

    @Test func `the answer before the one that replaced it is overwritten`() {
        let (first, second) = (Self.store("v", 0, 1), Self.store("w", 2, 3))
        #expect(self.kinds(first, second, Self.lookup("v", 4, 5)) == [.overwritten])
        #expect(self.kinds(first, second, Self.lookup("w", 4, 5)) == [])
        #expect(self.kinds(first, second, Self.lookup("v", 3, 5)) == [])
        #expect(self.kinds(first, Self.store("w", 1, 3), Self.lookup("v", 4, 5)) == [])
        #expect(self.kinds(first, Self.store("w", 2, nil), Self.lookup("v", 4, 5)) == [])
        #expect(self.kinds(first, Self.store("w", 2, 3, prompt: "other"), Self.lookup("v", 4, 5)) == [])
        #expect(self.kinds(first, Self.store("w", 2, 3, of: "b"), Self.lookup("v", 4, 5)) == [])
    }

    @Test func `an answer of another tenant, and one of nobody, is found`() {
        #expect(self.kinds(Self.store("v", 0, 1, of: "b"), Self.lookup("v", 2, 3)) == [.foreign])
        #expect(self.kinds(Self.lookup("v", 2, 3)) == [.neverStored])
        #expect(self.kinds(Self.store("v", 4, 5), Self.lookup("v", 2, 3)) == [.neverStored])
        #expect(
            self.kinds(
                Self.store("v", 0, 1, of: "b"), Self.remove(.everything, 2, 3, of: "b"), Self.lookup("v", 4, 5))
                == [.foreign, .stale])
    }

    @Test func `a violation says which operations it is made of`() {
        let history = CacheHistory([
            Self.store("v", 0, 1), Self.remove(.everything, 2, 9), Self.remove(.prompts(["p"]), 3, 4),
            Self.lookup("v", 5, 6),
        ])
        let violations = HistoryChecker(history).violations()
        #expect(violations.map(\.kind) == [.stale])
        #expect(violations.map { [$0.lookup, $0.store, $0.change] } == [[3, 0, 2]])
    }

    // MARK: At random

    @Test func `random histories are judged as by trying every order`() {
        var found: [Kind: Int] = [:]
        for seed in 0..<4_000 as Range<UInt64> {
            var generator = SeededGenerator(seed)
            let history = Self.randomHistory(
                &generator, count: generator.int(1...12), time: 12, longest: 4, acknowledged: 0.85)
            let violations = HistoryChecker(history).violations()
            for violation in violations { found[violation.kind, default: 0] += 1 }
            let expected = HistoryOracle(history, until: 20).violations()
            #expect(Set(violations.map { .init($0) }) == expected, "seed \(seed): \(history.operations)")
        }
        for kind in Kind.allCases { #expect(found[kind, default: 0] > 100, "\(kind): \(found)") }
    }

    @Test(.timeLimit(.minutes(1))) func `a hundred thousand operations are judged quickly`() {
        var generator = SeededGenerator(7)
        let history = Self.randomHistory(&generator, count: 100_000, time: 1_000_000, longest: 500, acknowledged: 0.95)
        let start = ContinuousClock.now
        let violations = HistoryChecker(history).violations()
        #expect(violations.count > 1_000)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    /// Mostly wrong ones: answers are picked from all that is ever stored.
    private static func randomHistory(
        _ generator: inout SeededGenerator, count: Int, time: Int, longest: Int, acknowledged: Double
    ) -> CacheHistory {
        var values = ["nobody's"]
        let kinds = (0..<count).map { _ in generator.int(0...9) }
        var stores = kinds.filter { $0 < 3 }.count
        values += (0..<stores).map { "v\($0)" }
        return CacheHistory(
            kinds.map { kind in
                let tenant = generator.chance(0.8) ? "a" : "b"
                let start = Int64(generator.int(0...time))
                let end = start + Int64(generator.int(0...longest))
                let prompt = generator.chance(0.7) ? "p" : "q"
                switch kind {
                case 0..<3:
                    stores -= 1
                    return store(
                        "v\(stores)", start, generator.chance(acknowledged) ? end : nil, prompt: prompt,
                        tags: generator.chance(0.5) ? ["t"] : ["t", "u"], of: tenant)
                case 3..<6:
                    let target = generator.pick([CacheHistory.Target.prompts([prompt]), .tag("u"), .everything])
                    return remove(target, start, generator.chance(acknowledged) ? end : nil, of: tenant)
                default:
                    return lookup(generator.pick(values), start, end, of: tenant)
                }
            })
    }
}

/// Judges each Lookup by trying every moment at which it, and the Store of its answer, may have happened.
private struct HistoryOracle {
    struct Finding: Hashable {
        let kind: HistoryChecker.Violation.Kind
        let lookup: Int

        init(kind: HistoryChecker.Violation.Kind, lookup: Int) {
            self.kind = kind
            self.lookup = lookup
        }

        init(_ violation: HistoryChecker.Violation) { self.init(kind: violation.kind, lookup: violation.lookup) }
    }

    private let operations: [CacheHistory.Operation]
    private let horizon: Int64

    /// - Parameter horizon: Later than everything.
    init(_ history: CacheHistory, until horizon: Int64) {
        self.operations = history.operations
        self.horizon = horizon
    }

    func violations() -> Set<Finding> {
        var found: Set<Finding> = []
        for (position, lookup) in self.operations.enumerated() {
            guard case .lookup(let answer?) = lookup.action else { continue }
            let store = self.operations.first {
                if case .store(answer, _, _) = $0.action { true } else { false }
            }
            guard let store, self.moments(store).contains(where: { $0 <= lookup.end! }) else {
                found.insert(Finding(kind: .neverStored, lookup: position))
                continue
            }
            if store.tenant != lookup.tenant { found.insert(Finding(kind: .foreign, lookup: position)) }
            for kind in [HistoryChecker.Violation.Kind.stale, .overwritten]
            where !self.isPossible(lookup, store, without: self.enders(of: store, kind)) {
                found.insert(Finding(kind: kind, lookup: position))
            }
        }
        return found
    }

    private func moments(_ operation: CacheHistory.Operation) -> ClosedRange<Int64> {
        operation.start...(operation.end ?? self.horizon)
    }

    /// Whether each change can be before the Store or after the Lookup, for some moments of these two.
    private func isPossible(
        _ lookup: CacheHistory.Operation, _ store: CacheHistory.Operation, without changes: [CacheHistory.Operation]
    ) -> Bool {
        self.moments(store).contains { stored in
            self.moments(lookup).contains { looked in
                stored <= looked
                    && changes.allSatisfy { change in
                        change.end == nil
                            || self.moments(change).contains { $0 <= stored || $0 >= looked }
                    }
            }
        }
    }

    private func enders(
        of store: CacheHistory.Operation, _ kind: HistoryChecker.Violation.Kind
    ) -> [CacheHistory.Operation] {
        guard case .store(let value, let prompt, let tags) = store.action else { return [] }
        return self.operations.filter { other in
            guard other.tenant == store.tenant else { return false }
            return switch other.action {
            case .lookup: false
            case .store(let another, let its, _): kind == .overwritten && another != value && its == prompt
            case .invalidate(.prompts(let prompts)): kind == .stale && prompts.contains(prompt)
            case .invalidate(.tag(let tag)): kind == .stale && tags.contains(tag)
            case .invalidate(.everything): kind == .stale
            }
        }
    }
}
