// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import CoreMetrics
import Logging
import NIOCore
import OpenSSLTLS

/// How a connection begins, if it is secured, and how it ends.
extension ConnectionHandler {
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let handshake = event as? TLSHandshakeCompleted {
            self.isSecuring = false
            self.certificate = handshake.peer.map { ClientCertificate($0) }
            self.journal.handshakeCompleted(isResumed: handshake.isResumed)
            // Meanwhile the service may have been told to stop, or whom to trust.
            if let drainReason { self.drain(drainReason) }
            self.checkCertificate()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func handshakeFailed(_ reason: String) {
        guard let channel = self.context?.channel else { return }
        self.journal.handshakeFailed(reason, of: self.address)
        self.isClosing = true
        channel.close(promise: nil)
    }

    /// Ends the connection if its peer was let in by authorities of which one is no longer trusted.
    func checkCertificate() {
        guard self.certificate != nil, let tls, !self.currentTLS.trusts(clientsOf: tls) else { return }
        self.drain("the certificate's authority is no longer trusted")
    }

    /// Lets calls in flight finish, takes no new ones, and closes.
    ///
    /// - Parameter reason: What the peer is told.
    func drain(_ reason: String = "the server is about to stop") {
        // Nothing can be said before TLS stands; the handshake's deadline bounds it.
        guard !self.isSecuring else { return self.drainReason = self.drainReason ?? reason }
        switch self.state.drain() {
        case .none: break
        case .goAway: self.send(.goAway(reason: reason))
        case .goAwayAndLinger:
            self.send(.goAway(reason: reason))
            self.linger()
        case .goAwayAndClose:
            self.send(.goAway(reason: reason))
            self.closeAfterFlush()
        }
    }

    /// Leaves it to the peer to close, for a while: calls of its that cross the GoAway are refused, which tells it that
    /// they were not begun; one whose connection is closed does not know.
    func linger() {
        guard let context = self.context, self.lingerDeadline == nil else { return }
        let linger = TimeAmount(self.limits.goAwayLinger)
        self.lingerDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: linger) {
            self.closeAfterFlush()
        }
    }

    /// Asks a connection to go on which there was no call for a whole time, and none is in flight.
    func watchIdleness() {
        guard let idle = self.limits.idleDeadline, let context = self.context else { return }
        let frames = self.framesRead
        self.idleDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(idle)) {
            if self.framesRead == frames, self.state.callsInFlight == 0, !self.reader.isInsideFrame {
                self.drain("the connection was not used for \(idle)")
            } else {
                self.watchIdleness()
            }
        }
    }
}
