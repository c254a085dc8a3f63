// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Clients of gRPC that are none of ours, against the real service.
@Suite(.serialized, .timeLimit(.minutes(3))) struct GRPCTests {
    private static let key = "sk-of-the-tests"

    /// A service that wants a certificate or a key of everybody.
    private static func service(_ certificates: TestCertificates, asks: String) async throws -> RunningService {
        let own = try certificates.issue("server")
        return try await RunningService(
            settings: [
                "tls.certificate=\(own.chainFile)", "tls.key=\(own.keyFile)", "tls.client_ca=\(certificates.trustFile)",
                "tls.client_certificates=\(asks)",
            ],
            file: """
                tenants:
                  - name: a
                    create_caches: true
                    api_keys: [{sha256: \(Self.digest), roles: [read, write, invalidate, admin]}]
                    certificates: [{san: "uri:spiffe://example.org/a", roles: [read, write, invalidate, admin]}]
                """)
    }

    /// SHA-256 of the key.
    private static let digest = "64892c5c164b1573f6b9b49bde79206797e83d5ae8eb9d886384fdbc0f60c045"

    private static func client() throws -> String {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../GRPCFrontTests/stock_client.py").standardizedFileURL
        guard FileManager.default.fileExists(atPath: script.path) else {
            throw Programs.Missing(description: "\(script.path) is missing")
        }
        return script.path
    }

    @Test func `stock gRPC of Python does all it can, over TLS with a client certificate`() async throws {
        let certificates = try TestCertificates()
        let own = try certificates.issue("client", TestCertificate(names: ["URI:spiffe://example.org/a"]))
        let service = try await Self.service(certificates, asks: "required")
        let result = try await Programs.run(
            try Programs.python(),
            [
                try Self.client(), "--host", "localhost", "--port", "\(try await service.port(of: "grpc"))", "--ca",
                certificates.trustFile, "--certificate", own.chainFile, "--key", own.keyFile, "--certificate-required",
                "--api-key", Self.key,
            ])
        #expect(result.status == 0, "\(result.output)\n\(result.errors)")
        for check in ["invalidate", "deadline", "cancellation", "health_watch", "reflection", "client_certificate"] {
            #expect(result.output.contains(#"{"check": "\#(check)", "result": "passed"}"#), "\(result.output)")
        }
        #expect(await service.stop(SIGTERM) == 0)
    }

    @Test(arguments: [true, false])
    func `h2load gets an answer to each of its requests`(overTLS: Bool) async throws {
        let certificates = try TestCertificates()
        let service =
            overTLS ? try await Self.service(certificates, asks: "optional") : try await RunningService()
        // A LookupRequest of the cache "stock" with a prompt, behind the five bytes of gRPC's framing.
        let prompt = "Which question is asked again and again?"
        let message = [0x0a, 5] + Array("stock".utf8) + [0x12, UInt8(prompt.utf8.count)] + Array(prompt.utf8)
        let body = try certificates.write(
            String(decoding: [0, 0, 0, 0, UInt8(message.count)] + message, as: UTF8.self), to: "request")
        let port = try await service.port(of: "grpc")
        let result = try await Programs.run(
            "/usr/bin/h2load",
            [
                "-n", "4000", "-c", "16", "-m", "32", "-d", body, "-H", "content-type: application/grpc", "-H",
                "te: trailers", "-H", "x-api-key: \(Self.key)",
                "\(overTLS ? "https" : "http")://127.0.0.1:\(port)/semcached.v1.SemanticCache/Lookup",
            ])
        #expect(result.output.contains("4000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(result.output)")
        let metrics = try await Programs.run(
            try Programs.python(),
            [
                "-c", "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())",
                "http://127.0.0.1:\(try await service.port(of: "admin"))/metrics",
            ])
        // As many as were asked for were answered as gRPC has it: HTTP's status says nothing of that.
        let line = "semcache_requests_total{code=\"ok\",method=\"Lookup\",protocol=\"grpc\"} 4000"
        #expect(metrics.output.contains(line), "\(metrics.output) \(metrics.errors)")
        #expect(await service.stop(SIGTERM) == 0)
    }
}
