// SPDX-License-Identifier: Apache-2.0

import NIOCore

extension TLSHandler {
    /// Decides what becomes of what happens; ``TLSHandler`` acts.
    struct StateMachine: ~Copyable {
        private enum State {
            /// Not connected yet.
            case idle(isFlushWanted: Bool)
            case handshaking(receivedBytes: Int, isFlushWanted: Bool)
            case open(isInputClosed: Bool, isOutputClosed: Bool)
            case closed
        }

        enum ReceiveAction: Equatable {
            case advanceHandshake
            case decrypt
            /// It came after the end.
            case drop
        }

        enum WriteAction: Equatable {
            /// Keep it until the handshake is done.
            case keep
            case encrypt
            case refuse(ChannelError)
            /// More than is kept: give the connection up.
            case fail(TLSError)
        }

        enum InputEndAction: Equatable {
            case none
            /// Tell the handlers behind; this side may go on.
            case reportInputClosed
            /// Answer the peer's end with the own one.
            case close
        }

        enum CloseAction: Equatable {
            /// There is nothing to say to the peer.
            case passOn
            /// Say that nothing more comes, then close.
            case closeNotify
            /// Send what was written, say that nothing more comes, then close that direction, or all if `both`.
            case flushAndCloseNotify(both: Bool)
            case refuse(ChannelError)
        }

        private var state = State.idle(isFlushWanted: false)

        init() {}

        // MARK: Handshake

        /// - Returns: Whether the handshake begins now.
        mutating func start() -> Bool {
            guard case .idle(let isFlushWanted) = self.state else { return false }
            self.state = .handshaking(receivedBytes: 0, isFlushWanted: isFlushWanted)
            return true
        }

        var isHandshaking: Bool {
            if case .handshaking = self.state { true } else { false }
        }

        var isOpen: Bool {
            if case .open = self.state { true } else { false }
        }

        /// - Returns: Whether something that was kept is to be sent now.
        mutating func handshakeCompleted() -> Bool {
            guard case .handshaking(_, let isFlushWanted) = self.state else { return false }
            self.state = .open(isInputClosed: false, isOutputClosed: false)
            return isFlushWanted
        }

        /// - Parameter limit: Of what the peer sends until the handshake is done, bytes.
        /// - Returns: Why the handshake cannot go on waiting for the peer.
        func handshakeNeedsInput(limit: Int) -> TLSError? {
            guard case .handshaking(let receivedBytes, _) = self.state, receivedBytes > limit else { return nil }
            return TLSError(.limitExceeded, "the handshake is longer than \(limit) bytes")
        }

        // MARK: Input

        mutating func received(_ count: Int) -> ReceiveAction {
            switch self.state {
            case .handshaking(let receivedBytes, let isFlushWanted):
                self.state = .handshaking(receivedBytes: receivedBytes + count, isFlushWanted: isFlushWanted)
                return .advanceHandshake
            case .open(let isInputClosed, _): return isInputClosed ? .drop : .decrypt
            case .idle, .closed: return .drop
            }
        }

        /// The peer has said that it sends nothing more.
        ///
        /// - Parameter mayGoOn: Whether the channel allows that only one direction is closed.
        mutating func peerClosed(mayGoOn: Bool) -> InputEndAction {
            guard case .open(isInputClosed: false, let isOutputClosed) = self.state else { return .none }
            guard mayGoOn, !isOutputClosed else {
                self.state = .closed
                return .close
            }
            self.state = .open(isInputClosed: true, isOutputClosed: false)
            return .reportInputClosed
        }

        /// Nothing more comes from below.
        ///
        /// - Returns: What is wrong with that.
        func transportEnded(isServer: Bool) -> TLSError? {
            switch self.state {
            // A load balancer that only looks whether somebody listens does this all the time.
            case .handshaking(receivedBytes: 0, _) where isServer: nil
            case .handshaking:
                TLSError(.handshakeAbandoned, "the peer ended the connection before the handshake was done")
            case .open(isInputClosed: false, _):
                TLSError(.truncated, "the peer ended the connection without saying that nothing more comes")
            case .idle, .open, .closed: nil
            }
        }

        /// Whether the handlers behind know already that nothing more comes.
        var isInputClosed: Bool {
            if case .open(isInputClosed: true, _) = self.state { true } else { false }
        }

        // MARK: Output

        /// - Parameter keptBytes: What is kept, this write among it.
        mutating func write(keptBytes: Int) -> WriteAction {
            switch self.state {
            case .idle, .handshaking:
                guard keptBytes <= TLSLimits.maximumBytesBeforeHandshake else {
                    return .fail(TLSError(.limitExceeded, "more was written than is kept until the handshake is done"))
                }
                return .keep
            case .open(_, isOutputClosed: false): return .encrypt
            case .open: return .refuse(.outputClosed)
            case .closed: return .refuse(.ioOnClosedChannel)
            }
        }

        /// - Returns: Whether to send now what was written.
        mutating func flush() -> Bool {
            switch self.state {
            case .handshaking(let receivedBytes, _):
                self.state = .handshaking(receivedBytes: receivedBytes, isFlushWanted: true)
                return false
            case .idle:
                self.state = .idle(isFlushWanted: true)
                return false
            case .open: return true
            case .closed: return false
            }
        }

        mutating func close(_ mode: CloseMode) -> CloseAction {
            switch (self.state, mode) {
            case (_, .input): return .passOn
            case (.open(_, isOutputClosed: false), .all):
                self.state = .closed
                return .closeNotify
            case (.open(_, isOutputClosed: true), .output): return .refuse(.outputClosed)
            case (.open(let isInputClosed, _), .output):
                self.state = isInputClosed ? .closed : .open(isInputClosed: false, isOutputClosed: true)
                return .flushAndCloseNotify(both: isInputClosed)
            case (.open, .all), (.idle, _), (.handshaking, _), (.closed, _):
                self.state = .closed
                return .passOn
            }
        }

        /// - Returns: Whether this is the first end, which is to be reported.
        mutating func fail() -> Bool {
            if case .closed = self.state { return false }
            self.state = .closed
            return true
        }
    }
}
