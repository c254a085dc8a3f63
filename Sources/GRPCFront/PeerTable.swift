// SPDX-License-Identifier: Apache-2.0

import CacheModel
import GRPCCore
import Synchronization

/// A connection, as the calls on it know it.
final class Peer: Sendable {
    let id: UInt64
    /// As TLS has found it; `nil` if there is none.
    let certificate: ClientCertificate?
    private let unwritten = Atomic<Int>(0)

    init(id: UInt64, certificate: ClientCertificate?) {
        self.id = id
        self.certificate = certificate
    }

    /// Whether so many replies wait to be read that no more large ones may be added.
    var isOverfull: Bool { self.unwritten.load(ordering: .relaxed) > 4 * Limits.maximumUnwrittenBytes }

    func addUnwritten(_ bytes: Int) { self.unwritten.add(bytes, ordering: .relaxed) }
}

/// The open connections by number.
///
/// The transport tells a call nothing of its connection, so the number comes to it among its metadata, under a name that
/// what the peer itself sent is removed from.
final class PeerTable: Sendable {
    static let headerName = "semcache-connection"

    private let peers = Mutex((last: UInt64(0), open: [UInt64: Peer]()))

    func add(certificate: ClientCertificate?) -> Peer {
        self.peers.withLock { peers in
            peers.last += 1
            let peer = Peer(id: peers.last, certificate: certificate)
            peers.open[peer.id] = peer
            return peer
        }
    }

    func remove(_ peer: Peer) { _ = self.peers.withLock { $0.open.removeValue(forKey: peer.id) } }

    var count: Int { self.peers.withLock { $0.open.count } }

    func peer(of metadata: Metadata) -> Peer? {
        guard let text = metadata[stringValues: Self.headerName].first(where: { _ in true }), let id = UInt64(text)
        else { return nil }
        return self.peers.withLock { $0.open[id] }
    }
}
