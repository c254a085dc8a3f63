// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire

/// Decides what a connection of the native protocol does. No side effects, no clock.
///
/// - `Work`: Whatever is given up when a call is.
struct ConnectionStateMachine<Work>: ~Copyable {
    enum HelloAction {
        /// ``authenticated()`` must follow, or the end of the connection.
        case authenticate(Credential)
        case closeWithError(WireError)
    }

    enum WelcomeAction {
        case welcome(version: UInt32)
        case closeWithError(WireError)
        /// The connection has ended meanwhile.
        case none
    }

    enum CallAction {
        /// - serial: Tells the call from others that had, or will have, its id.
        case start(serial: UInt64)
        case refuse(CacheError)
        case closeWithError(WireError)
    }

    enum EndAction: Equatable {
        case none
        /// There is room for another call.
        case resumeReading
        /// The last call of a connection that is to end has ended.
        case linger
    }

    private enum State {
        case awaitingHello
        /// What it sends behind its hello waits, unread.
        case authenticating(versions: ClosedRange<UInt32>?)
        case open
        case draining
        case closed
    }

    private var state = State.awaitingHello
    /// Calls that are to be answered, by id.
    private var calls: [UInt64: (serial: UInt64, work: Work)] = [:]
    /// Of the last call. A client may use an id again once it has its answer, while the work for the first still goes on.
    private var lastSerial: UInt64 = 0
    /// Calls that take up a slot: those above, and answered ones (late, given up) whose work has not ended yet.
    private var inFlight = 0
    /// Bytes of their requests.
    private var bytesInFlight = 0
    private let maximumInFlight: Int
    private let maximumBytesInFlight: Int

    init(maximumInFlight: Int, maximumBytesInFlight: Int = Limits.maximumBytesInFlight) {
        self.maximumInFlight = maximumInFlight
        self.maximumBytesInFlight = maximumBytesInFlight
    }

    /// Whether another message may be looked at.
    var canAccept: Bool {
        switch self.state {
        case .awaitingHello: true
        case .open, .draining: !self.isFull
        case .authenticating, .closed: false
        }
    }

    private var isFull: Bool {
        self.inFlight >= self.maximumInFlight || self.bytesInFlight >= self.maximumBytesInFlight
    }

    /// Whether the peer has not been let in yet.
    var isStranger: Bool {
        switch self.state {
        case .awaitingHello, .authenticating: true
        case .open, .draining, .closed: false
        }
    }

    var isOpen: Bool {
        if case .open = self.state { return true }
        return false
    }

    var callsInFlight: Int { self.inFlight }

    /// Whether a call has this id that is not answered yet.
    func isInFlight(_ id: UInt64) -> Bool { !self.calls.isEmpty && self.calls[id] != nil }

    mutating func hello(_ hello: Hello) -> HelloAction {
        guard case .awaitingHello = self.state else {
            return .closeWithError(WireError(.unexpectedMessage, "a second hello"))
        }
        let isRange = hello.minimumVersion <= hello.maximumVersion
        self.state = .authenticating(versions: isRange ? hello.minimumVersion...hello.maximumVersion : nil)
        return .authenticate(hello.credential)
    }

    /// The peer is who it says. Only now it learns which versions there are.
    mutating func authenticated() -> WelcomeAction {
        guard case .authenticating(let versions) = self.state else { return .none }
        let ours = ServiceVersion.protocolVersions
        guard let versions, versions.overlaps(ours) else {
            let text = "this server speaks protocol versions \(ours.lowerBound) to \(ours.upperBound)"
            return .closeWithError(WireError(.unsupportedVersion, text))
        }
        self.state = .open
        return .welcome(version: min(versions.upperBound, ours.upperBound))
    }

    /// Whether a call may begin; ``started(_:serial:_:)`` must follow `.start`.
    mutating func call(_ id: UInt64) -> CallAction {
        switch self.state {
        case .awaitingHello, .authenticating:
            return .closeWithError(WireError(.unexpectedMessage, "a call before hello"))
        case .open where self.isInFlight(id):
            return .refuse(.invalidArgument("id", "is that of a call in flight"))
        case .open:
            self.lastSerial += 1
            return .start(serial: self.lastSerial)
        case .draining, .closed:
            return .refuse(CacheError(.unavailable, "the server is about to stop; call another one"))
        }
    }

    /// - Parameter bytes: Of the request.
    mutating func started(_ id: UInt64, serial: UInt64, bytes: Int = 0, _ work: Work) {
        self.calls[id] = (serial, work)
        self.inFlight += 1
        self.bytesInFlight += bytes
    }

    /// A call is answered, by whatever comes first: its work, its deadline, its cancellation.
    ///
    /// - Parameter serial: Of the call that is meant; `nil` for the one that has the id now.
    /// - Returns: Its work, if the call has not been answered before.
    mutating func answer(_ id: UInt64, serial: UInt64? = nil) -> Work? {
        guard let call = self.calls[id], serial == nil || serial == call.serial else { return nil }
        self.calls[id] = nil
        return call.work
    }

    /// The work of a call has ended, answered or not.
    ///
    /// - Parameter bytes: As it was started with.
    mutating func ended(bytes: Int = 0) -> EndAction {
        let wasFull = self.isFull
        self.inFlight -= 1
        self.bytesInFlight -= bytes
        switch self.state {
        case .open: return wasFull ? .resumeReading : .none
        // Also when stopping: what waits is refused, and a cancel may be among it.
        case .draining: return self.inFlight == 0 ? .linger : wasFull ? .resumeReading : .none
        case .awaitingHello, .authenticating, .closed: return .none
        }
    }

    enum DrainAction: Equatable {
        case none
        case goAway
        /// No call is in flight, but some may be on their way.
        case goAwayAndLinger
        /// The peer was not let in yet.
        case goAwayAndClose
    }

    /// The server is about to stop.
    mutating func drain() -> DrainAction {
        switch self.state {
        case .awaitingHello, .authenticating:
            self.state = .closed
            return .goAwayAndClose
        case .open:
            self.state = .draining
            return self.inFlight == 0 ? .goAwayAndLinger : .goAway
        case .draining, .closed: return .none
        }
    }

    /// The connection is gone.
    ///
    /// - Returns: The work of all calls that nobody waits for any more.
    mutating func closed() -> [Work] {
        self.state = .closed
        defer { self.calls.removeAll() }
        return self.calls.values.map(\.work)
    }
}
