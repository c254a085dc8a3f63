// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel

/// Decides whether a provider is asked at all. No side effects, no clock.
///
/// It opens after a number of failures in a row, or when half of the last ``Limits/breakerWindow`` answers were
/// failures, or at once when the provider refuses the credential. Open, it lets nothing through; after a while it lets
/// one request through, whose answer closes it, or opens it again for twice as long.
struct CircuitBreaker: ~Copyable {
    /// Given with a request that is let through, and given back with its outcome.
    struct Pass: Equatable {
        /// Requests that were sent before it last changed say nothing about now.
        fileprivate let era: UInt64
        let isProbe: Bool
    }

    enum Admission: Equatable {
        case pass(Pass)
        /// With the code that it was opened with.
        case refused(EmbedderError.Code)
    }

    /// What is worth a line in the log.
    enum Change: Equatable { case opened, closed }

    /// The raw value is what the gauge shows.
    enum Phase: Int { case closed, halfOpen, open }

    private enum State {
        case closed
        case open(until: ContinuousClock.Instant)
        case probing
    }

    private var state = State.closed
    private var era: UInt64 = 0
    private var failuresInARow = 0
    /// A bit for each answer, 1 for a failure, the newest lowest.
    private var history: UInt64 = 0
    private var answers = 0
    /// What callers have waited in vain, without any answer between them.
    private var waitedInVain = Duration.zero
    private var code = EmbedderError.Code.unavailable
    private var openFor: Duration
    private let failureLimit: Int
    private let openDuration: Duration
    private let timeout: Duration

    /// - Parameters:
    ///   - failures: In a row.
    ///   - openDuration: The first time.
    ///   - timeout: Of a request.
    init(failures: Int, openDuration: Duration, timeout: Duration) {
        self.failureLimit = failures
        self.openDuration = openDuration
        self.openFor = openDuration
        self.timeout = timeout
    }

    var phase: Phase {
        switch self.state {
        case .closed: .closed
        case .open: .open
        case .probing: .halfOpen
        }
    }

    /// - Returns: The code if it would let nothing through now; takes note of nothing.
    func refusal(at now: ContinuousClock.Instant) -> EmbedderError.Code? {
        switch self.state {
        case .closed: nil
        case .open(let until): now < until ? self.code : nil
        case .probing: self.code
        }
    }

    /// Each pass must be given back by one of ``succeed(_:)``, ``fail(_:at:)``, ``refuse(_:at:)`` and
    /// ``abandon(_:after:at:)``.
    mutating func admit(at now: ContinuousClock.Instant) -> Admission {
        if let code = self.refusal(at: now) { return .refused(code) }
        guard case .open = self.state else { return .pass(Pass(era: self.era, isProbe: false)) }
        self.state = .probing
        return .pass(Pass(era: self.era, isProbe: true))
    }

    /// The provider answered: it is there, whether or not it liked the request.
    mutating func succeed(_ pass: Pass) -> Change? {
        guard pass.era == self.era else { return nil }
        self.waitedInVain = .zero
        self.failuresInARow = 0
        guard pass.isProbe else {
            self.record(failure: false)
            return nil
        }
        self.openFor = self.openDuration
        self.state = .closed
        self.begin()
        return .closed
    }

    mutating func fail(_ pass: Pass, at now: ContinuousClock.Instant) -> Change? {
        guard pass.era == self.era else { return nil }
        if pass.isProbe { return self.open(.unavailable, at: now) }
        self.failuresInARow += 1
        self.record(failure: true)
        let failed = (self.history & (1 << UInt64(Limits.breakerWindow) - 1)).nonzeroBitCount
        let isBad = self.answers >= Limits.breakerWindow && failed * 2 >= Limits.breakerWindow
        return self.failuresInARow >= self.failureLimit || isBad ? self.open(.unavailable, at: now) : nil
    }

    /// The provider refuses whoever we are: asking again would not help, and might lock us out.
    mutating func refuse(_ pass: Pass, at now: ContinuousClock.Instant) -> Change? {
        pass.era == self.era ? self.open(.refused, at: now) : nil
    }

    /// Whoever asked had no more time, before a whole request's time had passed: that alone says nothing of the
    /// provider. But one that has let callers wait for as long as a request may take, one after another and with no
    /// answer between them, has failed once.
    ///
    /// - Parameter waited: Since the request was sent; zero if it was not.
    mutating func abandon(
        _ pass: Pass, after waited: Duration, at now: ContinuousClock.Instant
    ) -> Change? {
        guard pass.era == self.era else { return nil }
        if pass.isProbe {
            // If nothing was sent, the next one may try at once; else it would wait in vain as well.
            self.state = .open(until: waited > .zero ? now + self.openFor : now)
            return nil
        }
        self.waitedInVain += max(.zero, waited)
        guard self.waitedInVain >= self.timeout else { return nil }
        self.waitedInVain = .zero
        return self.fail(pass, at: now)
    }

    private mutating func open(_ code: EmbedderError.Code, at now: ContinuousClock.Instant) -> Change? {
        let wasClosed = self.phase == .closed
        if !wasClosed { self.openFor = min(self.openFor * 2, max(self.openDuration, Limits.maximumBreakerOpen)) }
        self.state = .open(until: now + self.openFor)
        self.code = code
        self.begin()
        return wasClosed ? .opened : nil
    }

    private mutating func begin() {
        self.era += 1
        self.failuresInARow = 0
        self.history = 0
        self.answers = 0
        self.waitedInVain = .zero
    }

    private mutating func record(failure: Bool) {
        self.history = self.history << 1 | (failure ? 1 : 0)
        self.answers = min(self.answers + 1, Limits.breakerWindow)
    }
}
