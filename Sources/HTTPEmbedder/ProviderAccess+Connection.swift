// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CacheModel
import NIOCore
import NIOSSL

extension ProviderAccess {
    /// How the provider is connected to.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, for a file that cannot be used.
    func connection() throws(CacheError) -> HTTPClient.Configuration {
        // A redirect is not followed: whom the credential and the texts go to is for the configuration to say.
        // Nor is what is compressed inflated: a bomb stays small.
        var connection = HTTPClient.Configuration(
            tlsConfiguration: try self.tlsConfiguration(), redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(self.connectTimeout), read: nil), decompression: .disabled)
        // A connection that hangs holds up one request, and not all of them.
        connection.httpVersion = .http1Only
        connection.connectionPool.retryConnectionEstablishment = false
        connection.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = self.connections
        // The provider is none of those whom a trace concerns; the engine has a span for the wait.
        connection.tracing.tracer = nil
        if let proxy {
            let credential: Credential?
            do throws(CredentialFault) {
                credential = try proxy.credential.credentialNow()
            } catch {
                throw .invalidArgument("proxy_credential", "cannot be read, or is empty or not plain ASCII")
            }
            connection.proxy = .server(
                host: proxy.host, port: proxy.port, authorization: credential.map { .basic(credentials: $0.text) })
        }
        return connection
    }

    private func tlsConfiguration() throws(CacheError) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if !self.tls.isVerified { tls.certificateVerification = .none }
        if let file = self.tls.trustFile { tls.trustRoots = .certificates(try Self.certificates("trust_file", file)) }
        guard let certificateFile = self.tls.certificateFile, let keyFile = self.tls.keyFile else { return tls }
        tls.certificateChain = try Self.certificates("certificate_file", certificateFile).map { .certificate($0) }
        guard let key = try? NIOSSLPrivateKey(file: keyFile, format: .pem) else {
            throw .invalidArgument("key_file", "cannot be read, or holds no key in PEM")
        }
        tls.privateKey = .privateKey(key)
        return tls
    }

    private static func certificates(_ field: StaticString, _ file: String) throws(CacheError) -> [NIOSSLCertificate] {
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(file), !certificates.isEmpty else {
            throw .invalidArgument(field, "cannot be read, or holds no certificate in PEM")
        }
        return certificates
    }
}
