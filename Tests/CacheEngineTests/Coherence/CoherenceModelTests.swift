// SPDX-License-Identifier: Apache-2.0

import Testing

#if DEBUG
private let isOptimised = false
#else
private let isOptimised = true
#endif

/// Every state that the protocol can get to is looked at; and each rule is broken once, to show that it would be noticed.
///
/// Some have half a million: without the optimiser, and with a sanitizer, that takes minutes and shows nothing else.
@Suite(.enabled(if: isOptimised)) struct CoherenceModelTests {
    private typealias Scenario = CoherenceModel.Scenario
    private typealias Rules = CoherenceModel.Rules

    private func explore(
        _ scenario: Scenario, _ breakRule: (inout Rules) -> Void = { _ in }
    ) -> Exploration<CoherenceModel.Step> {
        var model = CoherenceModel(scenario: scenario)
        breakRule(&model.rules)
        return model.explore(limit: 3_000_000)
    }

    private func expectHolds(
        _ scenario: Scenario, at location: SourceLocation = #_sourceLocation,
        _ breakRule: (inout Rules) -> Void = { _ in }
    ) {
        switch self.explore(scenario, breakRule) {
        case .holds(let states):
            #expect(states > 1000, sourceLocation: location)
        case .broken(let fault, let steps, _):
            Issue.record("\(fault): \(steps)", sourceLocation: location)
        case .unfinished(let states):
            Issue.record("more than \(states) states", sourceLocation: location)
        }
    }

    private func expectBroken(
        _ scenario: Scenario, at location: SourceLocation = #_sourceLocation, _ breakRule: (inout Rules) -> Void
    ) {
        guard case .broken = self.explore(scenario, breakRule) else {
            Issue.record("nobody would notice", sourceLocation: location)
            return
        }
    }

    // MARK: It holds

    @Test func `after an Invalidate nobody answers what it removed, and it takes no longer than a lease`() {
        self.expectHolds(Scenario())
    }

    @Test func `a replica that is paused for any time answers nothing that was removed meanwhile`() {
        self.expectHolds(Scenario(pauses: true))
    }

    @Test func `a replica that invalidates does not answer it itself`() {
        self.expectHolds(Scenario(cuts: false, senderReads: true))
    }

    @Test func `two Invalidates at once both hold what they promise`() {
        self.expectHolds(Scenario(changes: 2))
    }

    @Test func `a restart of Redis that loses the register, or all keys, brings nothing back`() {
        self.expectHolds(Scenario(restarts: 1))
    }

    @Test func `a failover brings nothing back, while the former server goes on`() {
        self.expectHolds(Scenario(redisReplicas: 1))
    }

    @Test func `nor does it while a second Redis replica follows the former server`() {
        self.expectHolds(Scenario(cuts: false, redisReplicas: 2))
    }

    // MARK: Each rule is needed

    @Test func `L1 that answers without a lease is noticed`() {
        self.expectBroken(Scenario()) { $0.leaseIsChecked = false }
    }

    @Test func `renewals on another connection than the messages are noticed`() {
        self.expectBroken(Scenario()) { $0.messagesAndRenewalsKeepOrder = false }
    }

    @Test func `renewals before the subscription is confirmed are noticed`() {
        self.expectBroken(Scenario()) { $0.subscriptionIsAwaited = false }
    }

    @Test func `a replica that is not known, and keeps what it has, is noticed`() {
        self.expectBroken(Scenario()) {
            $0.unknownReaderEmpties = false
            $0.lapsedReaderEmpties = false
        }
    }

    @Test func `to be known is not enough after a lease that ran out`() {
        self.expectBroken(Scenario()) { $0.lapsedReaderEmpties = false }
    }

    @Test func `a lease that ran out is enough to empty, known or not`() {
        self.expectHolds(Scenario(restarts: 1)) { $0.unknownReaderEmpties = false }
    }

    @Test func `a lease that outlives its listener is noticed`() {
        self.expectBroken(Scenario()) { $0.lossEndsLease = false }
    }

    @Test func `reads without a ticket are noticed`() {
        self.expectBroken(Scenario()) { $0.ticketsRefuseLateReads = false }
    }

    @Test(arguments: [1, CoherenceModel.use]) func `a wait that is too short is noticed`(ticks: UInt8) {
        self.expectBroken(Scenario()) { $0.wait = ticks }
    }

    @Test func `a wait without an end is noticed`() {
        self.expectBroken(Scenario()) { $0.waitIsBounded = false }
    }

    @Test func `a young era that is not waited for is noticed`() {
        self.expectBroken(Scenario(restarts: 1)) { $0.youngEraIsWaitedFor = false }
    }

    @Test func `clocks that go apart further than is allowed for are noticed`() {
        self.expectBroken(Scenario()) { $0.clocksKeepTheBound = false }
    }

    @Test func `a server's clock that is set forward while an era is young is noticed`() {
        self.expectBroken(Scenario(restarts: 1)) { $0.serverClockIsSteady = false }
    }

    @Test func `a clock that stands still in a pause is noticed`() {
        self.expectBroken(Scenario(pauses: true)) { $0.clocksCountPauses = false }
    }

    @Test func `a sender that keeps its own is noticed`() {
        self.expectBroken(Scenario(cuts: false, senderReads: true)) { $0.senderDropsItsOwn = false }
    }

    @Test func `an Invalidate that finds nothing and returns at once is noticed`() {
        self.expectBroken(Scenario(changes: 2)) { $0.emptyChangesWait = false }
    }

    @Test func `a replica that is struck off though it has renewed is noticed`() {
        self.expectBroken(Scenario(changes: 2, stores: 1, cuts: false)) { $0.registerIsCompared = false }
    }

    @Test func `an Invalidate that Redis has not replicated is noticed`() {
        self.expectBroken(Scenario(redisReplicas: 1)) { $0.changesAreReplicated = false }
    }

    @Test func `a lease from a server that was replaced is noticed`() {
        self.expectBroken(Scenario(redisReplicas: 1)) { $0.deposedServerIsRefused = false }
    }

    @Test func `a read from a server that was replaced is noticed`() {
        self.expectBroken(Scenario(redisReplicas: 1)) { $0.deposedServerIsNotRead = false }
    }

    @Test func `a wait that begins before a majority has confirmed is noticed`() {
        self.expectBroken(Scenario(cuts: false, redisReplicas: 2)) { $0.waitBeginsWhenReplicated = false }
    }
}
