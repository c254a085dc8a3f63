// SPDX-License-Identifier: Apache-2.0

/// The coherence protocol of `RedisStore`, as far as it decides whether an answer may be stale.
///
/// One replica, the *reader*, keeps answers in L1; the other, the *sender*, invalidates. All that the network, the clocks and
/// Redis may do is a step of its own, in any order: so whatever is true of all states is true however slow anything is.
/// What only makes the sender wait longer is left out: its own messages arrive at once, as does the reader's
/// acknowledgement. It is assumed that the Redis replica that takes over has what was confirmed, and that a server that
/// restarts has what it acknowledged: those are matters of how Redis is run.
struct CoherenceModel: TransitionSystem {
    /// Of time, scaled down: a lease is waited for as long as this, in ticks.
    static let lease: UInt8 = 3
    /// Ticks for which L1 answers after a renewal was sent.
    static let use: UInt8 = 2

    /// What may happen.
    struct Scenario {
        var changes = 1
        /// Answers that are stored again after one was removed.
        var stores = 0
        var cuts = true
        var pauses = false
        var restarts: UInt8 = 0
        /// Redis replicas, 0...2. One takes over, once; the former server may go on, with the reader and a second one.
        var redisReplicas = 0
        /// The sender's own L1.
        var senderReads = false
    }

    /// The rules of the protocol; each can be broken.
    struct Rules {
        var leaseIsChecked = true
        var messagesAndRenewalsKeepOrder = true
        var unknownReaderEmpties = true
        var lapsedReaderEmpties = true
        var lossEndsLease = true
        var ticketsRefuseLateReads = true
        var subscriptionIsAwaited = true
        /// For which the sender waits.
        var wait = CoherenceModel.lease
        var youngEraIsWaitedFor = true
        var clocksKeepTheBound = true
        /// That of the server, by which the age of an era is known, is set by nobody.
        var serverClockIsSteady = true
        var clocksCountPauses = true
        var senderDropsItsOwn = true
        var waitIsBounded = true
        var registerIsCompared = true
        var emptyChangesWait = true
        var changesAreReplicated = true
        /// What has no Redis replica any more, though it had one, grants nothing.
        var deposedServerIsRefused = true
        var deposedServerIsNotRead = true
        /// The sender's wait, and the age of an era, begin when a majority of the servers has confirmed a write.
        var waitBeginsWhenReplicated = true
    }

    enum Step: Hashable {
        case tick(reader: Bool, sender: Bool, server: Bool)
        case connect, executeSubscribe, renew, executeRenewal, executeOrphan
        /// The reader takes an item of its queue.
        case read(Int)
        case cut, lose, notice, pause, resume
        case beginRead, answerRead, answerReadFromDeposed, insert
        case senderBeginRead, senderAnswerRead, senderInsert
        case change(Int), acknowledge(Int), unregister(Int), store
        case restart(keepsRegister: Bool), flush, beginEra, replicate, failover(readerStays: Bool)
        /// The second Redis replica finds the server that took over.
        case follow
    }

    typealias State = CoherenceState
    typealias Visit = (Step, State) -> Void

    var scenario = Scenario()
    var rules = Rules()

    var initial: State {
        var state = State()
        state.server.hasReplica = self.scenario.redisReplicas > 0
        return state
    }

    func fault(in state: State) -> String? {
        let gone = state.acknowledged
        let mayAnswer = !state.reader.isPaused && (state.reader.lease > 0 || !self.rules.leaseIsChecked)
        if mayAnswer, (1...max(1, gone)).contains(state.reader.memory.held), gone > 0 {
            return "the reader answers what was removed"
        }
        if gone > 0, (1...gone).contains(state.sender.held) { return "the sender answers what it has removed" }
        for change in [state.first, state.second] where change.phase == .waiting && change.left == 0 {
            guard self.isOver(change) || !self.mayBeReplicated(change, state) else {
                return "the sender waits longer than a lease"
            }
        }
        return nil
    }

    func forEachStep(from state: State, _ visit: Visit) {
        self.passTime(state, visit)
        if !state.reader.isPaused { self.stepReader(state, visit) }
        self.stepConnection(state, visit)
        self.stepServer(state, visit)
        self.stepSender(state, visit)
        self.stepReads(state, visit)
    }

    // MARK: Time

    private func passTime(_ state: State, _ visit: Visit) {
        // Whose clock ticks: bit 0 the reader's, 1 the sender's, 2 the server's. Where no era begins, the last is of no use.
        let mayServerSlip = self.scenario.restarts > 0 || self.scenario.redisReplicas > 0
        let maySlip = state.sinceSlip >= Self.lease - 1 || !self.rules.clocksKeepTheBound
        for clocks in 1...7 {
            let isSet = clocks == 4 && !self.rules.serverClockIsSteady
            guard clocks == 7 || isSet || maySlip && (mayServerSlip || clocks & 2 == clocks >> 1 & 2) else { continue }
            var next = state
            if !isSet { next.sinceSlip = clocks < 7 ? 0 : min(state.sinceSlip + 1, Self.lease - 1) }
            if clocks & 1 > 0, self.rules.clocksCountPauses || !state.reader.isPaused { Self.tickReader(&next) }
            if clocks & 2 > 0 {
                self.tick(&next.first)
                self.tick(&next.second)
            }
            if clocks & 4 > 0, state.server.isEraKnown, state.server.isEraConfirmed {
                next.server.eraAge = min(state.server.eraAge + 1, Self.lease)
            }
            visit(.tick(reader: clocks & 1 > 0, sender: clocks & 2 > 0, server: clocks & 4 > 0), next)
        }
    }

    private static func tickReader(_ state: inout State) {
        if state.reader.lease > 0 { state.reader.lease -= 1 }
        if state.reader.request == .renew || state.hasGrant {
            state.reader.renewalAge = min(state.reader.renewalAge + 1, Self.use)
        }
    }

    private func tick(_ change: inout State.Change) {
        guard change.phase == .waiting, change.isReplicated || !self.mustWaitForMajority else { return }
        if change.left > 0 { change.left -= 1 }
        if change.grace > 0 { change.grace -= 1 }
    }

    // MARK: Sender

    /// With two Redis replicas one of them may follow another server; with one, it is that which takes over.
    var mustWaitForMajority: Bool {
        self.scenario.redisReplicas > 1 && self.rules.waitBeginsWhenReplicated
    }

    /// Whether the sender may acknowledge to its caller.
    private func isOver(_ change: State.Change) -> Bool {
        change.grace == 0 && (!change.awaitsReader || change.left == 0 && self.rules.waitIsBounded)
    }

    private func mayBeReplicated(_ change: State.Change, _ state: State) -> Bool {
        guard self.rules.changesAreReplicated, !change.isReplicated else { return true }
        return self.scenario.redisReplicas < 2 && !state.server.hasReplica
    }

    private func stepSender(_ state: State, _ visit: Visit) {
        for number in 0..<self.scenario.changes {
            let change = state[number]
            switch change.phase {
            case .idle:
                if number == 0 || state.first.phase != .idle { visit(.change(number), self.changed(state, number)) }
            case .waiting:
                guard self.isOver(change), self.mayBeReplicated(change, state) else { continue }
                var next = state
                next[number].phase = .acknowledged
                next[number].mayUnregister = change.awaitsReader
                Self.forget(&next[number])
                visit(.acknowledge(number), next)
            case .acknowledged, .failed:
                guard change.mayUnregister else { continue }
                var next = state
                next[number].mayUnregister = false
                next[number].isRenewed = false
                if !change.isRenewed || !self.rules.registerIsCompared { next.server.isRegistered = false }
                visit(.unregister(number), next)
            }
        }
    }

    /// What no longer matters is the same in all states.
    private static func forget(_ change: inout State.Change) {
        change.awaitsReader = false
        change.left = 0
        change.grace = 0
        change.isReplicated = false
        if !change.mayUnregister { change.isRenewed = false }
    }

    private func changed(_ state: State, _ number: Int) -> State {
        var next = state
        let isEmpty = state.server.entry == 0
        Self.checkEra(&next)
        next.server.entry = 0
        if self.rules.senderDropsItsOwn { next.sender.drop(tickets: self.rules.ticketsRefuseLateReads) }
        next[number] = State.Change()
        next[number].removes = state.server.stored
        if isEmpty, !self.rules.emptyChangesWait {
            next[number].phase = .acknowledged
            return next
        }
        next[number].phase = .waiting
        next[number].awaitsReader = next.server.isRegistered
        next[number].left = self.rules.wait
        if self.rules.youngEraIsWaitedFor {
            next[number].grace = min(Self.lease - next.server.eraAge, self.rules.wait)
        }
        if state.server.isSubscribed { next.send(number == 0 ? .firstChange : .secondChange) }
        return next
    }

    static func checkEra(_ state: inout State) {
        guard !state.server.isEraKnown else { return }
        state.server.isEraKnown = true
        state.server.isRegistered = false
        state.server.eraAge = 0
    }
}
