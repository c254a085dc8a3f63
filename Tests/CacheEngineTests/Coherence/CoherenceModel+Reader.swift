// SPDX-License-Identifier: Apache-2.0

extension CoherenceModel {
    // MARK: The reader

    func stepReader(_ state: State, _ visit: Visit) {
        let reader = state.reader
        if reader.link == .down {
            var next = state
            next.reader.link = .subscribing
            next.reader.request = .subscribe
            next.reader.isAtDeposed = false
            visit(.connect, next)
            if !self.rules.subscriptionIsAwaited {
                next.reader.link = .up
                next.reader.request = .renew
                next.reader.renewalAge = 0
                visit(.connect, next)
            }
        }
        if reader.link == .up, reader.request == .none, !state.hasGrant, !reader.isCut {
            var next = state
            next.reader.request = .renew
            next.reader.renewalAge = 0
            visit(.renew, next)
        }
        if reader.isCut {
            var next = state
            Self.endConnection(&next)
            next.reader.link = .down
            next.reader.isCut = false
            if self.rules.lossEndsLease { next.reader.lease = 0 }
            visit(.notice, next)
        }
        for index in 0..<state.inboxCount { self.readItem(index, state, visit) }
    }

    private func readItem(_ index: Int, _ state: State, _ visit: Visit) {
        guard let item = state.item(index) else { return }
        let isGrant = item == .grantedKnown || item == .grantedUnknown
        // On another connection an answer may come before what was sent earlier.
        guard index == 0 || isGrant && !self.rules.messagesAndRenewalsKeepOrder else { return }
        var next = state
        next.removeItem(index)
        switch item {
        case .subscribed:
            next.reader.link = .up
        case .firstChange, .secondChange:
            next.reader.memory.drop(tickets: self.rules.ticketsRefuseLateReads)
            let number = item == .firstChange ? 0 : 1
            if next[number].phase == .waiting { next[number].awaitsReader = false }
        case .grantedKnown, .grantedUnknown:
            let isUnknown = item == .grantedUnknown && self.rules.unknownReaderEmpties
            if isUnknown || state.reader.lease == 0 && self.rules.lapsedReaderEmpties {
                next.reader.memory.drop(tickets: self.rules.ticketsRefuseLateReads)
            }
            next.reader.lease = max(next.reader.lease, Self.use - state.reader.renewalAge)
            next.reader.renewalAge = 0
        }
        visit(.read(index), next)
    }

    // MARK: Its connection

    func stepConnection(_ state: State, _ visit: Visit) {
        let reader = state.reader
        if self.scenario.cuts, reader.link != .down, !reader.isCut {
            var next = state
            Self.cut(&next)
            visit(.cut, next)
        }
        if reader.isCut, state.inboxCount > 0 {
            var next = state
            next.removeItem(state.inboxCount - 1)
            if !next.hasGrant, reader.request != .renew { next.reader.renewalAge = 0 }
            visit(.lose, next)
        }
        if self.scenario.pauses {
            var next = state
            next.reader.isPaused.toggle()
            visit(reader.isPaused ? .resume : .pause, next)
        }
    }

    /// The connection dies; nobody has noticed.
    private static func cut(_ state: inout State) {
        state.reader.isCut = true
        if !state.reader.isAtDeposed { state.server.isSubscribed = false }
        // What was sent already may still be executed, whatever becomes of the answer.
        if state.reader.request == .renew, !state.reader.isAtDeposed { state.reader.hasOrphan = true }
        state.reader.request = .none
        if !state.hasGrant { state.reader.renewalAge = 0 }
    }

    private static func endConnection(_ state: inout State) {
        state.clearInbox()
        state.reader.request = .none
        state.reader.renewalAge = 0
    }

    // MARK: The server

    func stepServer(_ state: State, _ visit: Visit) {
        self.executeRequests(state, visit)
        if self.scenario.stores >= Int(state.server.stored), state.server.entry == 0 {
            var next = state
            next.server.stored += 1
            next.server.entry = next.server.stored
            visit(.store, next)
        }
        if state.server.restarts < self.scenario.restarts {
            for keepsRegister in [false, true] {
                var next = state
                next.server.restarts += 1
                next.server.isEraKnown = false
                next.server.eraAge = 0
                if !keepsRegister { next.server.isRegistered = false }
                if state.reader.link != .down, !state.reader.isCut { Self.cut(&next) }
                visit(.restart(keepsRegister: keepsRegister), next)
            }
        }
        if !state.server.isEraKnown {
            // A third replica, or the sender, has renewed its lease.
            var next = state
            Self.checkEra(&next)
            visit(.beginEra, next)
        }
        if state.server.restarts < self.scenario.restarts {
            // All keys are gone, the connections are not.
            var next = state
            next.server.restarts += 1
            next.server.entry = 0
            next.server.isRegistered = false
            next.server.isEraKnown = false
            next.server.eraAge = 0
            visit(.flush, next)
        }
        if state.server.hasReplica { self.replicate(state, visit) }
        if state.server.deposedHasReplica {
            var next = state
            next.server.deposedHasReplica = false
            next.server.hasReplica = true
            visit(.follow, next)
        }
    }

    private func executeRequests(_ state: State, _ visit: Visit) {
        if state.reader.request == .subscribe, !state.reader.isCut {
            var next = state
            next.reader.request = .none
            next.server.isSubscribed = true
            next.send(.subscribed)
            visit(.executeSubscribe, next)
        }
        if state.reader.request == .renew, !state.reader.isCut {
            var next = state
            next.reader.request = .none
            if state.reader.isAtDeposed {
                // It knows the reader: it was registered there, or that makes it no worse.
                if state.server.deposedHasReplica || !self.rules.deposedServerIsRefused {
                    next.send(.grantedKnown)
                } else {
                    next.reader.renewalAge = 0
                }
            } else {
                let isKnown = Self.renewed(&next)
                next.send(isKnown ? .grantedKnown : .grantedUnknown)
                // The mutation sends it beside the subscription, whose order is nobody's.
                if !self.rules.subscriptionIsAwaited, !state.server.isSubscribed {
                    visit(.executeRenewal, next)
                    next.server.isSubscribed = true
                }
            }
            visit(.executeRenewal, next)
        }
        if state.reader.hasOrphan {
            var next = state
            next.reader.hasOrphan = false
            _ = Self.renewed(&next)
            visit(.executeOrphan, next)
        }
    }

    private static func renewed(_ state: inout State) -> Bool {
        Self.checkEra(&state)
        let isKnown = state.server.isRegistered
        state.server.isRegistered = true
        for number in 0..<2 where state[number].phase == .waiting || state[number].mayUnregister {
            state[number].isRenewed = true
        }
        return isKnown
    }

    private func replicate(_ state: State, _ visit: Visit) {
        var next = state
        next.server.copy = state.server.entry
        if state.server.isEraKnown { next.server.isEraConfirmed = true }
        for number in 0..<2 where state[number].phase == .waiting { next[number].isReplicated = true }
        if next != state { visit(.replicate, next) }
        // Once.
        guard state.server.failovers == 0 else { return }
        for readerStays in [false, true] {
            var next = state
            next.server.failovers = 1
            next.server.deposedEntry = state.server.entry
            next.server.entry = state.server.copy
            next.server.copy = 0
            next.server.hasReplica = false
            next.server.deposedHasReplica = self.scenario.redisReplicas > 1
            next.server.isEraKnown = false
            next.server.isEraConfirmed = !self.mustWaitForMajority
            next.server.eraAge = 0
            next.server.isSubscribed = false
            for number in 0..<2
            where state[number].phase == .waiting && !state[number].isReplicated
                && self.rules.changesAreReplicated
            {
                next[number] = State.Change()
                next[number].phase = .failed
            }
            if state.reader.link != .down {
                // Where it stays, the old server goes on and answers; else its end is not noticed yet.
                if readerStays { next.reader.isAtDeposed = true } else if !state.reader.isCut { Self.cut(&next) }
            }
            visit(.failover(readerStays: readerStays), next)
        }
    }

    // MARK: Reads of the store

    func stepReads(_ state: State, _ visit: Visit) {
        if !state.reader.isPaused {
            self.stepRead(state, \.reader.memory, (.beginRead, .insert), visit)
        }
        if self.scenario.senderReads { self.stepRead(state, \.sender, (.senderBeginRead, .senderInsert), visit) }
        for (memory, step) in [(\State.reader.memory, Step.answerRead), (\.sender, .senderAnswerRead)]
        where state[keyPath: memory].isReading {
            var next = state
            next[keyPath: memory].isReading = false
            next[keyPath: memory].got = state.server.entry
            visit(step, next)
        }
        if !self.rules.deposedServerIsNotRead, state.reader.memory.isReading, state.server.deposedEntry > 0 {
            var next = state
            next.reader.memory.isReading = false
            next.reader.memory.got = state.server.deposedEntry
            visit(.answerReadFromDeposed, next)
        }
    }

    private func stepRead(
        _ state: State, _ memory: WritableKeyPath<State, State.Memory>, _ steps: (begin: Step, insert: Step),
        _ visit: Visit
    ) {
        let before = state[keyPath: memory]
        if !before.isReading, before.got == 0 {
            var next = state
            next[keyPath: memory].isReading = true
            visit(steps.begin, next)
        }
        if before.got > 0 {
            var next = state
            next[keyPath: memory].held = before.got
            next[keyPath: memory].got = 0
            visit(steps.insert, next)
        }
    }
}
