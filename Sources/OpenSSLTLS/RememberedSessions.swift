// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Synchronization

/// The last session with each peer, by which a client's next handshake with it is short.
///
/// A session is taken out when it is used, since a ticket that is sent twice links the two connections.
final class RememberedSessions: Sendable {
    /// Owns an `SSL_SESSION`, which is not changed while it is here.
    private final class Session: @unchecked Sendable {
        let pointer: OpaquePointer

        init(_ pointer: OpaquePointer) { self.pointer = pointer }

        deinit { SSL_SESSION_free(self.pointer) }
    }

    private let sessions = Mutex<[[UInt8]: Session]>([:])

    /// Makes the connections of a client's context hand in the sessions that servers give them.
    static func collect(in context: OpaquePointer) {
        shim_SSL_CTX_set_session_cache_mode(
            context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
        SSL_CTX_sess_set_new_cb(context) { connection, session in
            guard let connection, let session, let owner = TLSSession.owner(connection) else { return 0 }
            // 1: the reference is ours.
            return owner.remember(session) ? 1 : 0
        }
    }

    /// Takes over the caller's reference.
    func put(_ session: OpaquePointer, for peer: String) {
        let session = Session(session)
        self.sessions.withLock { sessions in
            if sessions.count >= TLSLimits.maximumRememberedSessions, let other = sessions.keys.first {
                sessions[other] = nil
            }
            sessions[Array(peer.utf8)] = session
        }
    }

    /// Makes a connection that has not begun its handshake resume the last session with a peer, if there is one and the
    /// certificate that the peer has shown then has not expired.
    func resume(with peer: String, on connection: OpaquePointer) {
        guard let session = self.sessions.withLock({ $0.removeValue(forKey: Array(peer.utf8)) }) else { return }
        if let certificate = SSL_SESSION_get0_peer(session.pointer), !PeerCertificate.isCurrent(certificate) { return }
        _ = SSL_set_session(connection, session.pointer)
    }
}
