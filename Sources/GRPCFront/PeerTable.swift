// SPDX-License-Identifier: Apache-2.0

import CacheModel
import GRPCCore
import NIOCore
import OpenSSLTLS
import Synchronization

/// A connection, as the calls on it know it.
final class Peer: Sendable {
    /// What its connection is told.
    enum Event: Sendable {
        /// Somebody who is known has called, for the first time.
        case isKnown
        /// It has shown too many credentials that are none.
        case wasRefused
        case lostTrust
    }

    /// Answers that the peer has not taken yet, bytes.
    private struct Answers {
        var bytes = 0
        var ofCalls: [UInt64: Int] = [:]
        var lastCall: UInt64 = 0
    }

    let id: UInt64
    /// For the log.
    let address: SocketAddress?
    /// As TLS has found it; `nil` if there is none.
    let certificate: ClientCertificate?
    /// What found it; `nil` for plain TCP.
    let tls: TLSContext?
    private let answers = Mutex(Answers())
    private let isKnown = Atomic<Bool>(false)
    /// Credentials that were refused since one was accepted.
    private let refusals = Atomic<Int>(0)
    private let tell: @Sendable (Event) -> Void

    init(
        id: UInt64, _ address: SocketAddress? = nil, certificate: ClientCertificate?, tls: TLSContext? = nil,
        tell: @escaping @Sendable (Event) -> Void
    ) {
        self.id = id
        self.address = address
        self.certificate = certificate
        self.tls = tls
        self.tell = tell
    }

    // MARK: Credentials

    /// Who vouched for its certificate is no longer trusted.
    func lostTrust() { self.tell(.lostTrust) }

    /// Whether no more credentials are looked at.
    var isRefused: Bool { self.refusals.load(ordering: .relaxed) >= Limits.maximumRefusedCredentials }

    func credentialAccepted() {
        if self.refusals.load(ordering: .relaxed) > 0, !self.isRefused { self.refusals.store(0, ordering: .relaxed) }
        guard !self.isKnown.load(ordering: .relaxed) else { return }
        if !self.isKnown.exchange(true, ordering: .relaxed) { self.tell(.isKnown) }
    }

    func credentialRefused() {
        let refusals = self.refusals.add(1, ordering: .relaxed).newValue
        if refusals == Limits.maximumRefusedCredentials { self.tell(.wasRefused) }
    }

    // MARK: Calls

    /// - Returns: A number for it, until ``callClosed(_:)``.
    func callOpened() -> UInt64 {
        self.answers.withLock { answers in
            answers.lastCall += 1
            answers.ofCalls[answers.lastCall] = 0
            return answers.lastCall
        }
    }

    /// The peer has taken the answer, or does not want it any more.
    func callClosed(_ call: UInt64) {
        self.answers.withLock { $0.bytes -= $0.ofCalls.removeValue(forKey: call) ?? 0 }
    }

    /// Makes room for an answer.
    ///
    /// - Parameter isLarge: Whether it may be refused.
    /// - Returns: Whether it may be made.
    func reserve(_ bytes: Int, for call: UInt64, isLarge: Bool) -> Bool {
        self.answers.withLock { answers in
            guard answers.ofCalls[call] != nil else { return !isLarge }
            guard !isLarge || answers.bytes + bytes <= 4 * Limits.maximumUnwrittenBytes else { return false }
            answers.bytes += bytes
            answers.ofCalls[call, default: 0] += bytes
            return true
        }
    }

    var unreadBytes: Int { self.answers.withLock { $0.bytes } }
}

/// A call, as the transport's side and the service's know it.
struct PeerCall: Sendable {
    let peer: Peer
    let number: UInt64
}

/// The open connections by number.
///
/// The transport tells a call nothing of its connection, so its number and the call's come to it among its metadata,
/// under a name that what the peer itself sent is removed from.
final class PeerTable: Sendable {
    static let headerName = "semcache-connection"

    private let peers = Mutex((last: UInt64(0), open: [UInt64: Peer]()))

    /// - Parameters:
    ///   - address: Of the peer, for the log.
    ///   - tls: What found the certificate; `nil` for plain TCP.
    ///   - tell: Called from any thread.
    func add(
        _ address: SocketAddress? = nil, certificate: ClientCertificate?, tls: TLSContext? = nil,
        tell: @escaping @Sendable (Peer.Event) -> Void = { _ in }
    ) -> Peer {
        self.peers.withLock { peers in
            peers.last += 1
            let peer = Peer(id: peers.last, address, certificate: certificate, tls: tls, tell: tell)
            peers.open[peer.id] = peer
            return peer
        }
    }

    func remove(_ peer: Peer) { _ = self.peers.withLock { $0.open.removeValue(forKey: peer.id) } }

    var all: [Peer] { self.peers.withLock { Array($0.open.values) } }

    var count: Int { self.peers.withLock { $0.open.count } }
    /// Of all connections together, bytes.
    var unreadBytes: Int { self.peers.withLock { $0.open.values.reduce(0) { $0 + $1.unreadBytes } } }

    func call(of metadata: Metadata) -> PeerCall? {
        guard let text = metadata[stringValues: Self.headerName].first(where: { _ in true }) else { return nil }
        let numbers = text.split(separator: ".")
        guard numbers.count == 2, let id = UInt64(numbers[0]), let number = UInt64(numbers[1]),
            let peer = self.peers.withLock({ $0.open[id] })
        else { return nil }
        return PeerCall(peer: peer, number: number)
    }
}

extension PeerCall {
    var headerValue: String { "\(self.peer.id).\(self.number)" }
}
