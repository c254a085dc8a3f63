// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import CacheEngine

/// The machine itself, with strings for waiters.
@Suite struct PoolMachineTests {
    private let start = PoolTime.start

    @Test func `texts that wait are batched in order, up to the limit`() throws {
        var machine = PoolMachine(batchLimit: 3)
        let first = try #require(machine.ask("t1").batch)
        for text in ["t2", "t3", "t4", "t5"] { #expect(machine.ask(text).waits) }
        #expect(first.texts == ["t1"])
        let action = machine.succeed(first)
        #expect(action.resumed.map(\.0) == ["t1"])
        #expect(action.dispatch?.texts == ["t2", "t3", "t4"])
    }

    @Test func `one whose deadline has passed is answered and not computed`() throws {
        var machine = PoolMachine(batchLimit: 3)
        let first = try #require(machine.ask("t1").batch)
        _ = machine.ask("t2", within: .milliseconds(5))
        _ = machine.ask("t3")
        let action = machine.succeed(first, at: self.start + .milliseconds(5))
        #expect(action.resumed.map(\.0) == ["t1", "t2"])
        #expect(action.dispatch?.texts == ["t3"])
        #expect(machine.queued == 0 && machine.queuedBytes == 0)
    }

    @Test func `one that comes after its deadline is refused`() {
        var machine = PoolMachine()
        #expect(machine.ask("t", within: .zero).refusal == .deadlineExceeded)
        #expect(machine.ask("t").batch != nil, "and takes no worker")
    }

    @Test func `one that everybody gave up is not computed, and frees its place`() throws {
        var machine = PoolMachine(queueLimit: 1, batchLimit: 3)
        let first = try #require(machine.ask("t1").batch)
        _ = machine.ask("t2")
        #expect(machine.giveUp("t2") == "t2")
        #expect(machine.giveUp("t2") == nil)
        #expect(machine.ask("t3").waits, "the place of a text that was given up is free")
        #expect(machine.succeed(first).dispatch?.texts == ["t3"])
    }

    @Test func `Lookups go before Stores, but one batch of eight is of Stores`() throws {
        var machine = PoolMachine(batchLimit: 2)
        var running = machine.ask("first").batch
        for number in 0..<40 {
            _ = machine.ask("s\(number)", "importer", .store)
            _ = machine.ask("l\(number)", "asker", .lookup)
        }
        var kinds = ""
        while let batch = running {
            running = machine.succeed(batch).dispatch
            guard let texts = running?.texts else { break }
            #expect(texts.count == 2 && texts[0].first == texts[1].first, "a batch is of one priority")
            kinds += texts[0].prefix(1)
        }
        #expect(kinds.prefix(22) == "lllllllslllllllsllllll")
        #expect(kinds.count == 40 && kinds.count { $0 == "s" } == 20)
    }

    @Test func `a Store that a Lookup comes to want rises, and is embedded once`() throws {
        var machine = PoolMachine()
        let first = try #require(machine.ask("first").batch)
        for text in ["s0", "s1", "s2"] { _ = machine.ask(text, "a", .store) }
        _ = machine.ask("l0", "a")
        #expect(machine.ask("s2", "a", .lookup, waiter: "asker").waits)
        var (order, running) = ([String](), machine.succeed(first).dispatch)
        while let batch = running {
            order += batch.texts
            let action = machine.succeed(batch)
            if batch.texts == ["s2"] { #expect(action.resumed.map(\.0) == ["s2", "asker"]) }
            running = action.dispatch
        }
        #expect(order == ["l0", "s2", "s0", "s1"])
    }

    @Test func `Stores fill at most half of the queue, so that Lookups find room`() {
        var machine = PoolMachine(queueLimit: 64, queueBytes: 6400)
        _ = machine.ask("first")
        #expect((0..<64).count { machine.ask("s\($0)", "tenant \($0)", .store).waits } == 32)
        #expect((0..<64).count { machine.ask("l\($0)", "tenant \($0)").waits } == 32)
        #expect(machine.queued == 64)
        machine = PoolMachine(queueLimit: 64, queueBytes: 6400)
        _ = machine.ask("first")
        let long = String(repeating: "x", count: 390)
        #expect((10..<74).count { machine.ask(long + "\($0)", "tenant \($0)", .store).waits } == 8)
        #expect(machine.queuedBytes == 8 * 392)
    }

    @Test func `whoever joined late is tried again when the batch ran out of the time of others`() throws {
        var machine = PoolMachine()
        let first = try #require(machine.ask("t", within: .seconds(1)).batch)
        #expect(machine.ask("t", waiter: "patient", within: .seconds(9)).waits)
        let late = EmbedderError(.deadlineExceeded, "")
        let action = machine.finish(first, [.failure(late)], took: .seconds(1), at: self.start + .seconds(1))
        #expect(action.resumed.map(\.0) == ["t"])
        let second = try #require(action.dispatch)
        #expect(second.deadline == self.start + .seconds(9))
        let end = machine.finish(second, [.failure(late)], took: .seconds(8), at: self.start + .seconds(9))
        #expect(end.resumed.map(\.0) == ["patient"] && end.dispatch == nil)
    }

    @Test func `a text of a batch that fails leaves the others their vectors`() throws {
        var machine = PoolMachine(batchLimit: 4, memoryBytes: 1 << 20)
        let first = try #require(machine.ask("first").batch)
        #expect(machine.ask("good").waits && machine.ask("bad").waits)
        let batch = try #require(machine.succeed(first).dispatch)
        let results = batch.requests.map { request -> Result<Embedding, EmbedderError> in
            request.text == "bad" ? .failure(EmbedderError(.failed, "")) : .success(Embedding(unitLength: [1]))
        }
        let resumed = machine.finish(batch, results, took: .zero, at: self.start).resumed
        #expect(resumed.map { "\($0.0) \((try? $0.1.get()) != nil)" }.sorted() == ["bad false", "good true"])
        #expect(machine.ask("good").isReady && !machine.ask("bad").isReady)
    }

    @Test func `a forgotten tenant's vectors are gone, and what is under way is not remembered`() throws {
        var machine = PoolMachine(concurrency: 3, memoryBytes: 1 << 20)
        for tenant in ["a", "b"] { _ = machine.succeed(try #require(machine.ask("t", tenant).batch)) }
        let underWay = try #require(machine.ask("u", "a").batch)
        machine.forget(TenantID("a"))
        #expect(machine.ask("t", "b").isReady)
        #expect(machine.ask("t", "a").batch != nil)
        #expect(machine.succeed(underWay).resumed.map(\.0) == ["u"])
        #expect(machine.ask("u", "a").batch != nil)
    }

    @Test func `remembered vectors take no more bytes than they may`() throws {
        let limit = 100_000
        var machine = PoolMachine(memoryBytes: limit)
        for number in 0..<2000 {
            let batch = try #require(machine.ask("t\(number)").batch)
            let vector = Embedding(unitLength: [Float](repeating: 0, count: number % 3 == 0 ? 384 : 48))
            _ = machine.finish(batch, [.success(vector)], took: .zero, at: self.start)
            #expect(machine.rememberedBytes <= limit)
        }
        #expect(machine.rememberedBytes > limit / 3)
        #expect(machine.ask("t1999").isReady)
    }
}
