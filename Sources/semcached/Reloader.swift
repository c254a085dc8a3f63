// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheServer
import Logging
import ServiceLifecycle
import TokenVerification
import UnixSignals

/// Reads the settings again on SIGHUP, and puts in force what can change while the service runs: tenants, caches, quotas
/// and credentials. Settings that are wrong change nothing.
struct Reloader: Service {
    let engine: CacheEngine
    let server: CacheServer
    /// `nil` for a service that was started without credentials.
    let credentials: CredentialAuthenticator?
    let started: Settings
    let read: @Sendable () throws -> Settings
    let logger: Logger

    func run() async {
        await cancelWhenGracefulShutdown {
            for await _ in await UnixSignalsSequence(trapping: .sighup) {
                do {
                    try self.reload()
                } catch {
                    self.logger.error(
                        "settings not reloaded; the old ones stay in force", metadata: ["reason": "\(error)"])
                }
            }
        }
    }

    private func reload() throws {
        let settings = try self.read()
        guard settings.tenants.hasCredentials == (self.credentials != nil) else {
            throw SettingsError("the first credential, and taking away the last one, need a restart")
        }
        if let credentials {
            credentials.replace(
                try Composition.credentials(
                    settings.tenants, succeeding: credentials.tokens as? JSONWebTokenVerifier, logger: self.logger))
        }
        self.engine.replace(settings.tenants.directory)
        self.server.checkCredentials()
        self.logger.info(
            "settings reloaded",
            metadata: [
                "api_keys": "\(settings.tenants.keys.count)",
                "needs_restart": "\(settings.changes(since: self.started))",
            ])
    }
}

extension Settings {
    /// The settings that differ and are only read at the start.
    func changes(since old: Settings) -> [String] {
        let pairs: [(String, Bool)] = [
            ("server.host", self.host == old.host), ("server.port", self.port == old.port),
            ("server.threads", self.threads == old.threads),
            ("server.grace_period", self.gracePeriod == old.gracePeriod),
            ("store", self.store == old.store),
            ("store.sweep_interval", self.sweepInterval == old.sweepInterval),
            ("memory.limit", self.memoryBytes == old.memoryBytes),
            ("embedder.model_path", self.modelPath == old.modelPath),
            ("embedder.verify", self.verifiesModel == old.verifiesModel),
            ("embedder.precision", self.precision == old.precision),
            ("embedder.threads", self.embedderThreads == old.embedderThreads),
            ("log.level", self.logLevel == old.logLevel),
        ]
        return pairs.filter { !$0.1 }.map(\.0)
    }
}
