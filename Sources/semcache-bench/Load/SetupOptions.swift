// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import OpenSSLTLS

/// The semcached that is started to be measured, and on which cores.
struct SetupOptions: ParsableArguments {
    @Option(help: "The semcached to start; the one beside this executable if not given.")
    var semcached: String?

    @Option(
        name: .customLong("set"), help: ArgumentHelp("A setting of the semcached to start.", valueName: "key=value"))
    var settings: [String] = []

    @Option(help: "The cores of the servers, as taskset takes them.")
    var serverCores = "0"

    @Option(help: "The core of this process.")
    var clientCore = 1

    /// Starts one with a store of its own and none but the native port.
    ///
    /// - Parameters:
    ///   - settings: Those that the command line has come after them.
    ///   - tenants: Without any it lets everybody in.
    func start(model: String?, settings: [String], tenants: [BenchTenant] = []) throws -> ServerProcess {
        try ServerProcess.semcached(
            self.semcached ?? Self.besideThis("semcached"), cores: self.serverCores, model: model,
            settings: ["grpc.enabled=false", "admin.enabled=false"] + settings + self.settings,
            configuration: tenants.isEmpty ? nil : BenchTenant.configuration(tenants))
    }

    private static func besideThis(_ name: String) -> String {
        let this = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: this).deletingLastPathComponent().appending(path: name).path
    }
}

/// How TLS is spoken with a server; the options are those of `semcache`.
struct ClientTLSOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Speak TLS, and trust the certificates of this file (PEM). A semcached that is started needs \
            --set tls.certificate=… and --set tls.key=… for it.
            """, valueName: "file"))
    var caFile: String?

    @Option(help: ArgumentHelp("Show the server this certificate (PEM).", valueName: "file"))
    var clientCertificate: String?

    @Option(help: ArgumentHelp("The certificate's private key (PEM).", valueName: "file"))
    var clientKey: String?

    @Option(
        help: ArgumentHelp(
            "The name that the server's certificate must be for, if it is not that of its address.", valueName: "name"))
    var serverName: String?

    func validate() throws {
        guard (self.clientCertificate == nil) == (self.clientKey == nil) else {
            throw ValidationError("--client-certificate and --client-key come together")
        }
        guard self.caFile != nil || (self.clientCertificate == nil && self.serverName == nil) else {
            throw ValidationError("--client-certificate, --client-key and --server-name need --ca-file")
        }
    }

    /// - Returns: `nil` for plain TCP.
    func context() throws -> TLSContext? {
        guard let caFile else { return nil }
        var configuration = TLSClientConfiguration()
        configuration.trust = .file(caFile)
        configuration.serverName = self.serverName
        if let chain = self.clientCertificate, let key = self.clientKey {
            configuration.identity = TLSIdentity(chainFile: chain, keyFile: key)
        }
        return try TLSContext(configuration)
    }
}

/// A server to measure: a running one, or one that was started.
struct Target {
    let host: String
    let port: Int
    /// `nil` for plain TCP.
    let tls: TLSContext?
    /// `nil` for one that was running.
    let process: ServerProcess?

    init(host: String, port: Int, tls: TLSContext?) {
        self.host = host
        self.port = port
        self.tls = tls
        self.process = nil
    }

    init(_ process: ServerProcess, tls: TLSContext?) {
        self.host = "127.0.0.1"
        self.port = process.port
        self.tls = tls
        self.process = process
    }
}
