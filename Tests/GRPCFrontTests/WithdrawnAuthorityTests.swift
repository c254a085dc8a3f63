// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import MetricsTestKit
import OpenSSLTLS
import TestSupport
import Testing

@testable import GRPCFront

/// What a reload that trusts others means to gRPC's connections, and what is counted of those who are not let in.
@Suite(.timeLimit(.minutes(1))) struct WithdrawnAuthorityTests {
    private func server(_ identity: TestCertificates, trusting authorities: TestCertificates...) throws -> TLSContext {
        let files = try identity.issue("server")
        var configuration = TLSServerConfiguration(
            identity: TLSIdentity(chainFile: files.chainFile, keyFile: files.keyFile))
        let list = try authorities.map { try String(contentsOfFile: $0.trustFile, encoding: .utf8) }.joined()
        configuration.clientCertificates = .optional(trustFile: try identity.write(list, to: "clients.pem"))
        configuration.applicationProtocols = [GRPCFront.applicationProtocol]
        return try TLSContext(configuration)
    }

    @Test func `whoever an authority let in that is no longer trusted is sent away, others stay`() async throws {
        let (stays, goes) = (try TestCertificates(name: "Stays"), try TestCertificates(name: "Goes"))
        let both = try self.server(stays, trusting: stays, goes)
        try await TestFront.run(tls: both) { front in
            let files = try goes.issue("client")
            let security = HTTP2ClientTransport.Posix.TransportSecurity.tls { tls in
                tls.trustRoots = .certificates([.file(path: stays.trustFile, format: .pem)])
                tls.serverCertificateVerification = .noHostnameVerification
                tls.certificateChain = [.file(path: files.chainFile, format: .pem)]
                tls.privateKey = .file(path: files.keyFile, format: .pem)
            }
            try await front.withClient(security) { client in
                try await client.call(.ping)
                front.front.replace(tls: try self.server(stays, trusting: stays, goes))
                front.front.checkCertificates()
                try await client.call(.ping)
                #expect(front.front.peers.count == 1)
                front.front.replace(tls: try self.server(stays, trusting: stays))
                front.front.checkCertificates()
                // Until it is gone; it does not come back.
                while try await client.error(.ping) == nil {}
            }
        }
    }

    @Test func `a credential that is refused is counted, and so is the call`() async throws {
        let metrics = TestMetrics()
        let authenticator = CredentialAuthenticator(.init(keys: []))
        try await TestFront.run(authenticator: authenticator, metrics: metrics) { front in
            try await front.withClient { client in
                try await client.expect(.unauthenticated, of: lookup("q"), ["x-api-key": "wrong"])
            }
        }
        #expect(try metrics.expectCounter("semcache_credentials_refused_total").totalValue == 1)
        let labels = [("protocol", "grpc"), ("method", "Lookup"), ("code", "unauthenticated")]
        #expect(try metrics.expectCounter("semcache_requests_total", labels).totalValue == 1)
    }
}
