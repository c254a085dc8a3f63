// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import CoreMetrics
package import Logging
package import NIOCore

/// Counts and logs whom a listener lets in and whom it turns away, whatever its protocol.
///
/// Strangers cause these lines, so each kind of them is rationed; what is counted is counted always.
package struct ListenerJournal: Sendable {
    private let metrics: ServerMetrics
    private let logger: Logger
    private let transport: CallOrigin.Transport
    private let connections = LogRation(lines: 1)
    private let handshakes = LogRation(lines: Limits.refusalLines)
    private let credentials = LogRation(lines: Limits.refusalLines)

    package init(_ transport: CallOrigin.Transport, of dispatcher: Dispatcher, logger: Logger) {
        self.transport = transport
        self.metrics = dispatcher.metrics
        self.logger = logger
    }

    package func accepted() { self.metrics.acceptedConnections.increment() }

    /// - Returns: What the connection is closed for.
    package func refused(_ refusal: ConnectionAdmission.Refusal) -> CacheError {
        self.metrics.count(refusal)
        self.log(.warning, "connections are refused", self.connections, ["limit": "\(refusal.rawValue)"])
        return CacheError(.resourceExhausted, "too many connections")
    }

    package func handshakeCompleted(isResumed: Bool) {
        (isResumed ? self.metrics.resumedHandshakes : self.metrics.handshakes).increment()
    }

    /// - Parameter reason: Holds nothing that the peer sent.
    package func handshakeFailed(_ reason: String, of peer: SocketAddress?) {
        self.metrics.failedHandshakes.increment()
        self.log(.notice, "TLS handshake failed", self.handshakes, ["reason": "\(reason)"], peer)
    }

    package func credentialRefused(_ error: CacheError, of peer: SocketAddress?) {
        self.metrics.refusedCredentials.increment()
        let metadata: Logger.Metadata = ["error.code": "\(error.code.label)", "reason": "\(error.message)"]
        self.log(.notice, "credential refused", self.credentials, metadata, peer)
    }

    private func log(
        _ level: Logger.Level, _ message: Logger.Message, _ ration: LogRation, _ metadata: Logger.Metadata,
        _ peer: SocketAddress? = nil
    ) {
        guard case .write(let leftOut) = ration.take(at: .now) else { return }
        var metadata = metadata
        metadata["server.protocol"] = "\(self.transport.rawValue)"
        if let peer { metadata["connection.peer"] = "\(peer)" }
        if leftOut > 0 { metadata["lines_left_out"] = "\(leftOut)" }
        self.logger.log(level: level, message, metadata: metadata)
    }
}
