// SPDX-License-Identifier: Apache-2.0

/// A moment of the protocol: two replicas, one Redis and what is under way between them.
///
/// There is one prompt. What is stored for it has a version, 1 or 2; 0 is nothing. Times are ticks that are left or have
/// passed, never a date, so that there are few states though time has no end. Every field is a byte or two, without gaps.
struct CoherenceState: Hashable {
    /// What the server sends to the reader's listener, in order; four bits each, the next one lowest.
    private(set) var inbox: UInt16 = 0
    var reader = Reader()
    var sender = Memory()
    var server = Server()
    var first = Change()
    var second = Change()
    /// Whole ticks since the clocks went apart, at most one less than the lease.
    var sinceSlip: UInt8 = CoherenceModel.lease - 1

    enum Item: UInt8 {
        case subscribed = 1
        case firstChange, secondChange
        case grantedKnown, grantedUnknown
    }

    enum Link: UInt8 { case down, subscribing, up }
    enum Request: UInt8 { case none, subscribe, renew }
    enum Phase: UInt8 { case idle, waiting, acknowledged, failed }

    /// L1 of a replica.
    struct Memory: Hashable {
        /// Version that lies there.
        var held: UInt8 = 0
        /// A read of the store is under way.
        var isReading = false
        /// Version that a read has got and not put in yet.
        var got: UInt8 = 0

        /// - Parameter tickets: Whether what is being read is refused later.
        mutating func drop(tickets: Bool) {
            self.held = 0
            guard tickets else { return }
            self.isReading = false
            self.got = 0
        }
    }

    /// The replica that may answer from L1 what it must not.
    struct Reader: Hashable {
        var memory = Memory()
        var link = Link.down
        /// The connection is dead, and the reader does not know.
        var isCut = false
        var request = Request.none
        /// By the reader's clock, since the renewal that is under way was sent.
        var renewalAge: UInt8 = 0
        /// Ticks for which L1 may answer.
        var lease: UInt8 = 0
        var isPaused = false
        /// A renewal of a connection that is gone may still be executed.
        var hasOrphan = false
        /// The connection leads to a server that has been replaced.
        var isAtDeposed = false
    }

    struct Server: Hashable {
        var entry: UInt8 = 1
        var stored: UInt8 = 1
        var isSubscribed = false
        var isRegistered = false
        /// The register's era is that of the server's run.
        var isEraKnown = true
        /// Counted from when the era is known to be the only one.
        var eraAge: UInt8 = CoherenceModel.lease
        var isEraConfirmed = true
        var restarts: UInt8 = 0
        var failovers: UInt8 = 0
        /// What the Redis replica has, while there is one.
        var copy: UInt8 = 1
        var hasReplica = false
        /// What a replaced server still has.
        var deposedEntry: UInt8 = 0
        /// A second Redis replica still acknowledges what the replaced server writes.
        var deposedHasReplica = false
    }

    /// An Invalidate of the other replica.
    struct Change: Hashable {
        var phase = Phase.idle
        /// Versions up to this one must not be answered once it is acknowledged.
        var removes: UInt8 = 0
        /// The reader is in the register that the change returned, and has not acknowledged.
        var awaitsReader = false
        /// By the sender's clock: until L has passed, and until the era is L old.
        var left: UInt8 = 0
        var grace: UInt8 = 0
        /// The reader's count in the register is another than then.
        var isRenewed = false
        var mayUnregister = false
        var isReplicated = false
    }

    init() {}

    subscript(change: Int) -> Change {
        get { change == 0 ? self.first : self.second }
        set { if change == 0 { self.first = newValue } else { self.second = newValue } }
    }

    /// Versions up to this one are gone, and somebody has been told so.
    var acknowledged: UInt8 {
        max(
            self.first.phase == .acknowledged ? self.first.removes : 0,
            self.second.phase == .acknowledged ? self.second.removes : 0)
    }

    // MARK: The queue to the reader

    var inboxCount: Int { (UInt16.bitWidth - self.inbox.leadingZeroBitCount + 3) / 4 }

    func item(_ index: Int) -> Item? { Item(rawValue: UInt8(self.inbox >> (4 * UInt16(index)) & 15)) }

    var hasGrant: Bool {
        for index in 0..<self.inboxCount {
            let item = self.item(index)
            if item == .grantedKnown || item == .grantedUnknown { return true }
        }
        return false
    }

    mutating func send(_ item: Item) {
        precondition(self.inboxCount < 4, "the queue of the model is too short")
        self.inbox |= UInt16(item.rawValue) << (4 * UInt16(self.inboxCount))
    }

    mutating func removeItem(_ index: Int) {
        let below = self.inbox & ((1 << (4 * UInt16(index))) - 1)
        self.inbox = below | (self.inbox >> (4 * UInt16(index + 1))) << (4 * UInt16(index))
    }

    mutating func clearInbox() { self.inbox = 0 }

    func hash(into hasher: inout Hasher) {
        withUnsafeBytes(of: self) { hasher.combine(bytes: $0) }
    }
}
