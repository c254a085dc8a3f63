// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What a command does when an attempt failed, until its deadline.
///
/// How long it goes on depends on the trouble of the server (``Trouble``): while that is young, a restart or a failover
/// may just be under way, and the command waits for it as long as its own deadline lets it. Once the trouble is older
/// than the deployment's *patience*, it will last, and each command fails with its first attempt, so that callers are
/// not slowed by a server that is down. The attempt is made nevertheless: it costs nothing while the server's circuit
/// breaker is open, and is how the end of the trouble is noticed. A server that takes over starts without trouble of
/// its own.
struct RetryPlan {
    enum Step: Equatable {
        /// At once, at the server that the last one named.
        case follow(RedisAddress, isAsking: Bool)
        /// After a while, at whichever server serves it then.
        case again(after: TimeAmount)
        case fail
    }

    private let deadline: NIODeadline
    private let patience: TimeAmount
    private var redirections = 0
    private var waits = 0

    init(deadline: NIODeadline, patience: TimeAmount) {
        self.deadline = deadline
        self.patience = patience
    }

    /// - Parameters:
    ///   - troubleAge: How long the server has been in trouble; `nil` if this is none of its.
    ///   - jitter: By chance, 0...1.
    mutating func next(
        after course: Setback.Course, troubleAge: TimeAmount?, now: NIODeadline, jitter: Double
    ) -> Step {
        guard now < self.deadline else { return .fail }
        switch course {
        case .giveUp:
            return .fail
        case .move(let redirection) where self.redirections < RedisLimits.maximumRedirections:
            self.redirections += 1
            return .follow(redirection.address, isAsking: false)
        case .ask(let redirection) where self.redirections < RedisLimits.maximumRedirections:
            self.redirections += 1
            return .follow(redirection.address, isAsking: true)
        case .move, .ask, .tryAgain:
            // Servers that send a command around disagree for as long as it takes them to tell each other.
            if let troubleAge, troubleAge > self.patience { return .fail }
            let delay = self.delay(jitter)
            guard now + delay < self.deadline else { return .fail }
            self.waits += 1
            self.redirections = 0
            return .again(after: delay)
        }
    }

    /// Doubles with each wait; half of it by chance, so that those who failed together do not return together.
    private func delay(_ jitter: Double) -> TimeAmount {
        let doubled = RedisLimits.minimumRetryDelay.nanoseconds << min(self.waits, 20)
        let half = min(doubled, RedisLimits.maximumRetryDelay.nanoseconds) / 2
        return .nanoseconds(half + Int64(Double(half) * min(max(0, jitter), 1)))
    }
}

/// Since when a server has failed, with no success in between.
struct Trouble: Sendable {
    private var span: (first: NIODeadline, last: NIODeadline)?

    /// - Returns: The age of the trouble. One that nobody has met for a while is over: this is then another.
    mutating func failed(at now: NIODeadline) -> TimeAmount {
        guard let span = self.span, now < span.last + RedisLimits.troubleMemory else {
            self.span = (now, now)
            return .zero
        }
        self.span = (span.first, max(now, span.last))
        return max(.zero, now - span.first)
    }

    mutating func passed() { self.span = nil }
}
