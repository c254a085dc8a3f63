// SPDX-License-Identifier: Apache-2.0

import CacheEngine
package import CacheModel
import CacheWire
import Logging
import NIOCore
package import OpenSSLTLS

extension ConnectionHandler {
    func helloReceived(_ hello: Hello) throws(WireError) {
        switch self.state.hello(hello) {
        case .closeWithError(let error): throw error
        case .authenticate(let credential): self.authenticate(credential)
        }
    }

    private func authenticate(_ credential: Credential) {
        guard let context = self.context, let executor = self.executor else { return }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let authenticator = self.authenticator
        let now = self.dispatcher.engine.now
        let certificate = self.certificate
        // Unstructured: the connection owns it and cancels it when it ends; the handshake's deadline bounds it.
        self.authentication = Task(executorPreference: executor) {
            let result: Result<Principal, CacheError>
            do throws(CacheError) {
                result = .success(try await authenticator.authenticate(credential, certificate: certificate, at: now))
            } catch {
                result = .failure(error)
            }
            bound.value.authenticated(result)
        }
    }

    private func authenticated(_ result: Result<Principal, CacheError>) {
        guard self.state.isStranger, self.context != nil, !self.isClosing else { return }
        let principal: Principal
        switch result {
        // The configuration may have been read again since: who asked every connection has not seen this one.
        case .success(let found) where !self.authenticator.accepts(found):
            return self.authenticated(.failure(CacheError(.unauthenticated, "the credential is no longer accepted")))
        case .success(let found): principal = found
        case .failure(let error):
            self.journal.credentialRefused(error, of: self.address)
            self.send(.reply(Reply(id: 0, result: .failure(error))))
            return self.closeAfterFlush()
        }
        switch self.state.authenticated() {
        case .none: return
        case .closeWithError(let error): return self.fail(error)
        case .welcome(let version): self.welcome(principal, version: version)
        }
    }

    private func welcome(_ principal: Principal, version: UInt32) {
        self.handshakeDeadline?.cancel()
        self.session = Session(principal, engine: self.dispatcher.engine)
        self.fastLane.open(to: principal)
        self.outcome(.helloReceived)
        self.send(
            .welcome(
                Welcome(
                    version: version, serverVersion: ServiceVersion.current,
                    maximumCallsInFlight: self.limits.maximumCallsInFlight,
                    embeddingDimensions: UInt32(self.dispatcher.engine.pools.default.identity.dimensions))))
        self.watchIdleness()
        if let expiresAt = principal.expiresAt, let context = self.context {
            let rest = max(.zero, expiresAt - self.dispatcher.engine.now)
            self.credentialEnd = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(rest)) {
                self.drain("the credential has expired")
            }
        }
        self.resumeReading()
    }

    /// Ends the connection if the configuration no longer has the credential that it was opened with, or no longer trusts
    /// who vouched for its peer.
    func checkCredential() {
        self.checkCertificate()
        guard let session, !self.authenticator.accepts(session.principal) else { return }
        self.drain("the credential is no longer accepted")
    }
}

extension ClientCertificate {
    /// Names that are none of ours, such as one that is not ASCII, are left out: no configuration can name them.
    package init(_ peer: PeerCertificate) {
        self.init(
            names: peer.dnsNames.compactMap { CertificateName(dns: $0) }
                + peer.uris.compactMap { CertificateName(uri: $0) }
                + peer.emails.compactMap { CertificateName(email: $0) },
            notAfter: Timestamp(milliseconds: max(.min / 1000, min(peer.notAfter, .max / 1000)) * 1000))
    }
}
