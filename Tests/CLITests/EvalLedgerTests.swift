// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Testing

@testable import semcache

/// What several calls under way know of each other.
@Suite(.timeLimit(.minutes(1))) struct EvalLedgerTests {
    private let ledger = EvalLedger([0, 1, 2], progress: EvalProgress(name: "order", isShown: false))

    private func entry(_ number: Int) throws -> CacheEntryID {
        try #require(CacheEntryID(String(repeating: "0", count: 31) + "\(number)"))
    }

    @Test func `the label of an entry is waited for while it may be that of a Store under way`() async throws {
        let (mine, other) = (try self.entry(1), try self.entry(2))
        self.ledger.beginStore(at: 0)
        self.ledger.beginStore(at: 1)
        async let label = self.ledger.label(of: mine)
        self.ledger.endStore(at: 1, other, for: 5)
        self.ledger.endStore(at: 0, mine, for: 3)
        #expect(await label == 3)
        #expect(await self.ledger.label(of: other) == 5)
    }

    @Test func `a Store that fails, and one that began later, are not waited for`() async throws {
        let (mine, other) = (try self.entry(1), try self.entry(2))
        self.ledger.beginStore(at: 0)
        async let label = self.ledger.label(of: mine)
        self.ledger.endStore(at: 0, nil, for: 3)
        #expect(await label == nil)
        self.ledger.beginStore(at: 1)
        self.ledger.endStore(at: 1, other, for: 4)
        self.ledger.beginStore(at: 2)
        #expect(await self.ledger.label(of: other) == 4)
    }

    @Test func `what this run has not stored has no label`() async throws {
        #expect(await self.ledger.label(of: try self.entry(1)) == nil)
    }
}
