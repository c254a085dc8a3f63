// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct InvalidationTests {
    private static let prompts = [
        "how do I reset my password", "how do I reset my password please", "where is my invoice", "turn on dark mode",
    ]

    /// Which versions of each answer may still be served: those from the floor on.
    private final class Floors: Sendable {
        private let floors = Mutex<[String: Int]>([:])

        /// What a lookup that starts now must not fall below.
        var now: [String: Int] { self.floors.withLock { $0 } }

        func raise(_ prompt: String, to version: Int) {
            self.floors.withLock { $0[prompt] = max($0[prompt] ?? 0, version) }
        }
    }

    private static func parse(_ response: String) -> (prompt: String, version: Int) {
        let parts = response.split(separator: "#")
        return (String(parts[0]), Int(parts[1])!)
    }

    /// Stores new versions of one prompt's answer and removes them, one change after the other.
    private static func write(_ text: String, _ floors: Floors, _ client: WireClient, seed: UInt64) async throws {
        var random = SeededGenerator(seed)
        for version in 1...150 {
            let id = try await client.store(store(text, "\(text)#\(version)")).id
            // The version before has been replaced.
            floors.raise(text, to: version)
            guard random.chance(0.5) else { continue }
            let selector: InvalidateRequest.Selector =
                switch random.int(0...3) {
                case 0: .ids([id])
                case 1: .exactPrompt(prompt(text), vary: [])
                case 2: .semanticRadius(prompt(text), vary: [], similarity: 0.99, embedding: nil)
                default: .wholeCache
                }
            _ = try await client.invalidate(InvalidateRequest(cache: "support", selector: selector))
            floors.raise(text, to: version + 1)
        }
    }

    /// Looks everything up until told to stop.
    ///
    /// - Returns: Answers by memory.
    private static func read(
        _ floors: Floors, _ client: WireClient, _ isOver: Flag, seed: UInt64
    ) async throws -> Int {
        var random = SeededGenerator(seed)
        var answersByMemory = 0
        while !isOver.value {
            let before = floors.now
            var request = lookup(random.pick(Self.prompts))
            request.mode = random.pick([.both, .both, .exact])
            guard let hit = try await client.lookup(request).hit else { continue }
            for match in hit.matches {
                let (prompt, version) = Self.parse(String(decoding: match.entry.response, as: UTF8.self))
                #expect(version >= before[prompt] ?? 0, "\(hit.tier) served a removed answer")
            }
            if hit.tier == .l1 { answersByMemory += 1 }
        }
        return answersByMemory
    }

    private final class Flag: Sendable {
        private let isSet = Atomic<Bool>(false)
        var value: Bool { self.isSet.load(ordering: .sequentiallyConsistent) }
        func set() { self.isSet.store(true, ordering: .sequentiallyConsistent) }
    }

    @Test func `a removed answer is never served to a lookup that starts after the removal was acknowledged`()
        async throws
    {
        let memory = MemoryVectorStore()
        let turns = Atomic<UInt64>(0)
        // Lets others in between what the store read and what becomes of it.
        memory.hook { operation, _ in
            for _ in 0..<(turns.add(1, ordering: .relaxed).newValue &* 7 % 13) { await Task.yield() }
            return nil
        }
        try await TestServer.run(store: memory) { server in
            let floors = Floors()
            let isOver = Flag()
            let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                for seed in 1...6 as ClosedRange<UInt64> {
                    let client = try await server.open()
                    group.addTask { try await Self.read(floors, client, isOver, seed: seed) }
                }
                try await withThrowingTaskGroup(of: Void.self) { writers in
                    for (number, text) in Self.prompts.enumerated() {
                        let client = try await server.open()
                        writers.addTask { try await Self.write(text, floors, client, seed: UInt64(100 + number)) }
                    }
                    defer { isOver.set() }
                    try await writers.waitForAll()
                }
                return try await group.reduce(0, +)
            }
            // Without answers by memory the test would show nothing.
            #expect(answers > 50)
        }
    }

    @Test func `what was read before a removal does not come into memory after it`() async throws {
        let memory = MemoryVectorStore()
        let gate = Mailbox<Void>()
        let arrivals = Mailbox<Void>()
        let isOpen = Flag()
        memory.hook { operation, phase in
            if operation == .entry, phase == .after, !isOpen.value {
                arrivals.append(())
                _ = await gate.next()
            }
            return nil
        }
        try await TestServer.run(store: memory) { server in
            let client = try await server.open()
            try await client.store(store("a question", "old"))
            let reader = try await server.open()
            try await reader.send(.lookup(lookup("a question")), id: 1)
            _ = await arrivals.next()
            isOpen.set()
            _ = try await client.invalidate(InvalidateRequest(cache: "support", selector: .wholeCache))
            gate.close()
            // It began before: it may still say so.
            #expect(try await reader.nextReply().lookup?.response == "old")
            #expect(try await reader.lookup(lookup("a question")).missReason == .noEntry)
        }
    }

    @Test func `a dry run removes nothing and says what it would`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            let id = try await client.store(store("a question", "an answer")).id
            #expect(try await client.lookup(lookup("a question")).hit?.tier == .store)
            let request = InvalidateRequest(cache: "support", selector: .wholeCache, isDryRun: true)
            #expect(try await client.invalidate(request) == InvalidateOutcome(count: 1, sample: [id], isDryRun: true))
            #expect(try await client.lookup(lookup("a question")).hit?.tier == .l1)
        }
    }
}
