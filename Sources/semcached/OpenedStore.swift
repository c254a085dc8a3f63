// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Foundation
import Logging
import NIOCore
import OpenSSLTLS
import RedisClient
import RedisStore
import ServiceLifecycle

/// The store that the settings name, with what keeps it in order.
struct OpenedStore {
    let store: any VectorStore
    /// The same store.
    let vectors: any VectorMemory
    /// Removes what has expired, now and then.
    let upkeep: any Service
    /// What this replica has to do with others on the same store; `nil` where there are none.
    let coherence: RedisCoherence?
    let close: @Sendable () async -> Void

    /// Waits for a Redis that is not there yet, as long as the settings say.
    ///
    /// - Throws: ``SettingsError`` or ``VectorStoreError``, which say what to do.
    init(_ settings: Settings, group: any EventLoopGroup, logger: Logger) async throws {
        switch settings.store {
        case .embedded(let path):
            try Self.createFolder(of: path)
            let store = try EmbeddedStore(path: path, logger: logger)
            (self.store, self.vectors, self.coherence) = (store, store, nil)
            self.upkeep = Sweeper(store: store, interval: settings.sweepInterval, logger: logger)
            self.close = { await store.close() }
        case .redis(let redis):
            let server = try redis.server { error in
                logger.warning(
                    "certificates for Redis have changed and cannot be used; the former ones stay in force",
                    metadata: ["reason": "\(error.message)"])
            }
            let client = RedisClient(server, group: group, logger: logger)
            do {
                try await RedisStart(client: client, patience: redis.startPatience, logger: logger).wait()
                let options = redis.options(sweepInterval: settings.sweepInterval)
                let store = try await RedisVectorStore.open(
                    client, options: options, logger: logger, clock: Composition.wallClock)
                (self.store, self.vectors, self.coherence) = (store, store, store.coherence)
                self.upkeep = RedisUpkeep(store: store)
                self.close = { await client.close() }
            } catch {
                await client.close()
                throw error
            }
        }
    }

    private static func createFolder(of path: String) throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw SettingsError("store.path: the folder \(folder.path) cannot be made: \(error.localizedDescription)")
        }
    }
}

extension RedisStoreSettings {
    fileprivate func options(sweepInterval: Duration) -> RedisStoreOptions {
        RedisStoreOptions(
            kind: self.kind, quantization: self.quantization, searchIndex: self.index,
            configuration: .init(shards: self.shards, sweepInterval: sweepInterval, isShared: true))
    }
}

/// Keeps the entries in Redis in order, in turn with the other services on it.
private struct RedisUpkeep: Service {
    let store: RedisVectorStore

    func run() async {
        await cancelWhenGracefulShutdown { await self.store.run() }
    }
}

/// Keeps memory in step with the other services on the same Redis.
struct CoherenceService: Service {
    let coherence: RedisCoherence
    let observer: any StoreObserver

    func run() async {
        self.coherence.attach(self.observer)
        await cancelWhenGracefulShutdown { await self.coherence.run() }
    }
}

/// Removes what has expired from the disk, now and then.
private struct Sweeper: Service {
    let store: EmbeddedStore
    let interval: Duration
    let logger: Logger

    func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await Task.sleep(for: self.interval)
                } catch {
                    return
                }
                await self.sweep()
            }
        }
    }

    private func sweep() async {
        do throws(VectorStoreError) {
            let count = try await self.store.sweep(at: Composition.wallClock())
            if count > 0 { self.logger.debug("expired entries removed", metadata: ["entries": "\(count)"]) }
        } catch {
            self.logger.warning("expired entries could not be removed", metadata: ["error.code": "\(error)"])
        }
    }
}
