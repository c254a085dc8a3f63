// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What is known of one server: whether there is a connection, how busy and how quick it is, and whether it is left alone.
struct EndpointHealth {
    enum Link {
        /// There is no connection, and nothing speaks against making one.
        case idle
        case connecting
        case ready
        /// There could be none, or it did not last.
        case unreachable(until: NIODeadline, ConnectionFault)
    }

    enum Standing {
        case healthy
        /// Gets no calls as long as another server takes them.
        case ejected
        /// Its time is over: the next call finds out.
        case probeIsDue
    }

    var link = Link.idle
    private(set) var callsInFlight = 0
    /// Of calls that were answered, in nanoseconds, late ones weighing less; 0 if none was yet.
    private var latency = 0.0
    private var measuredAt = NIODeadline.uptimeNanoseconds(0)
    /// Answers in a row that said that the server cannot serve.
    private var failures = 0
    private var ejections = 0
    private var ejectedUntil: NIODeadline?
    private var isProbed = false

    var isReady: Bool { if case .ready = self.link { true } else { false } }
    var isConnecting: Bool { if case .connecting = self.link { true } else { false } }

    /// From when a connection may be made; `nil` if there is one, or one is being made.
    var connectableAt: NIODeadline? {
        switch self.link {
        case .idle: .uptimeNanoseconds(0)
        case .unreachable(let until, _): until
        case .connecting, .ready: nil
        }
    }

    func standing(at now: NIODeadline) -> Standing {
        guard let ejectedUntil else { return .healthy }
        return now >= ejectedUntil && !self.isProbed ? .probeIsDue : .ejected
    }

    /// What a call more would wait for: the less, the better.
    ///
    /// - Returns: `nil` if it was not measured yet.
    func load(at now: NIODeadline) -> Double? {
        guard self.latency > 0 else { return nil }
        let shortest = Double(ClientLimits.shortestLatency.nanoseconds)
        return Double(self.callsInFlight + 1) * max(shortest, self.latency(at: now))
    }

    // MARK: Calls

    /// - Returns: Whether the call finds out whether the server is well again.
    mutating func begin(at now: NIODeadline) -> Bool {
        self.callsInFlight += 1
        guard case .probeIsDue = self.standing(at: now) else { return false }
        self.isProbed = true
        return true
    }

    /// A call is no longer under way, however it ended.
    mutating func end(wasProbe: Bool) {
        self.callsInFlight -= 1
        if wasProbe { self.isProbed = false }
    }

    /// The server has answered, and not that it cannot serve.
    mutating func answered() {
        self.failures = 0
        self.ejections = 0
        self.ejectedUntil = nil
    }

    /// A call took this long, or at least this long if nobody waits for it any more.
    mutating func measured(_ time: TimeAmount, at now: NIODeadline) {
        let known = self.latency(at: now)
        let time = Double(max(1, time.nanoseconds))
        self.latency = known > 0 ? known + (time - known) / 8 : time
        self.measuredAt = now
    }

    /// A call was given up after so long without an answer: that counts only if it is more than was known.
    mutating func isSlow(_ time: TimeAmount, at now: NIODeadline) {
        if Double(time.nanoseconds) > self.latency(at: now) { self.measured(time, at: now) }
    }

    /// The server has said that it cannot serve.
    ///
    /// - Parameters:
    ///   - wasProbe: Whether the call was to find out if it can.
    ///   - jitter: By chance, 0...1.
    mutating func failed(_ backoff: Backoff, wasProbe: Bool, at now: NIODeadline, jitter: Double) {
        self.failures += 1
        // What was under way when it was ejected says nothing new.
        guard wasProbe || (self.ejectedUntil == nil && self.failures >= ClientLimits.failuresBeforeEjection) else {
            return
        }
        self.ejections += 1
        self.ejectedUntil = now + backoff.delay(afterFailures: self.ejections, jitter: jitter)
    }

    private func latency(at now: NIODeadline) -> Double {
        let halvings = max(0, (now - self.measuredAt).nanoseconds) / ClientLimits.latencyHalfLife.nanoseconds
        return halvings == 0 ? self.latency : self.latency / Double(UInt64(1) << UInt64(min(halvings, 62)))
    }
}
