// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheModel
import Foundation
import Logging
import Telemetry

@main
struct Semcached: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "semcached",
        abstract: "A semantic cache for LLM applications.",
        discussion: """
            Settings come from a file, the environment (server.port is SEMCACHED_SERVER_PORT) and the command line; the \
            later ones win. deploy/semcached.yaml lists and explains all of them.
            """,
        version: ServiceVersion.current)

    @Option(help: "A YAML file of settings.")
    var config: String?

    @Flag(help: "Checks the settings and the model's files, and exits: 0 if they are right.")
    var checkConfig = false

    @Flag(help: "With --check-config: has each embedder make a vector. A provider may charge for it.")
    var probeEmbedders = false

    @Flag(help: "With --check-config: asks each judge something. A provider may charge for it.")
    var probeJudges = false

    @Option(help: "Address to listen on (server.host).")
    var host: String?

    @Option(help: "Port to listen on; 0 for any (server.port).")
    var port: String?

    @Option(help: "The file that holds the cache (store.path).")
    var store: String?

    @Option(help: "The folder with the model (embedder.model_path).")
    var model: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical (log.level).")
    var logLevel: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Any setting.", valueName: "key=value"))
    var settings: [String] = []

    func validate() throws {
        guard self.checkConfig || !self.probeEmbedders && !self.probeJudges else {
            throw ValidationError("--probe-embedders and --probe-judges need --check-config.")
        }
    }

    func run() async throws {
        // Until the service can read its settings again, a reload must not end it.
        signal(SIGHUP, SIG_IGN)
        let settings: Settings
        let read = self.reader()
        do {
            settings = try read()
            if self.checkConfig {
                let lines = try await Composition.check(
                    settings, probesEmbedders: self.probeEmbedders, probesJudges: self.probeJudges)
                for line in lines { print(line) }
                print("the configuration is right")
                return
            }
        } catch {
            throw Self.failure(error)
        }
        let log = LogSettings(format: settings.telemetry.logFormat, level: settings.telemetry.logLevel)
        LoggingSystem.bootstrap(log.handler, metadataProvider: .traceContext)
        do {
            try await Composition.run(settings, log: log, reading: read)
        } catch {
            throw Self.failure(error)
        }
    }

    /// Reads the settings as this command line has them.
    private func reader() -> @Sendable () throws -> Settings {
        let command = self
        return {
            try Settings(
                SettingsSource(
                    arguments: try command.arguments(), environment: ProcessInfo.processInfo.environment,
                    file: command.config))
        }
    }

    private func arguments() throws -> [String: String] {
        var arguments: [String: String] = [:]
        for setting in self.settings {
            guard let equals = setting.firstIndex(of: "=") else {
                throw SettingsError("--set takes key=value")
            }
            arguments[String(setting[..<equals])] = String(setting[setting.index(after: equals)...])
        }
        arguments["server.host"] = self.host ?? arguments["server.host"]
        arguments["server.port"] = self.port ?? arguments["server.port"]
        arguments["store.path"] = self.store ?? arguments["store.path"]
        arguments["embedder.model_path"] = self.model ?? arguments["embedder.model_path"]
        arguments["log.level"] = self.logLevel ?? arguments["log.level"]
        return arguments
    }

    /// One line that says what to do, and exit code 1.
    private static func failure(_ error: any Error) -> any Error {
        FileHandle.standardError.write(Data("semcached: \(error)\n".utf8))
        return ExitCode.failure
    }
}
