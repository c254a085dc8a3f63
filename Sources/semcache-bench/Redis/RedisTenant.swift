// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Glibc
import LocalEmbedder
import Logging
import NIOCore
import NIOPosix
import RedisClient
import RedisStore
import Synchronization

/// A new tenant in a Redis, and the store over which its entries come and go.
///
/// Tasks run on the event loop of the store's connections, as those of a server with one thread do.
final class RedisTenant: Sendable {
    let server: RedisConfiguration
    let client: RedisClient
    let store: RedisVectorStore
    let partition: Partition
    private let scope: TenantScope
    private let group: MultiThreadedEventLoopGroup
    private let executor: LoopExecutor
    private let upkeep: Task<Void, Never>

    /// - Throws: What says why the store cannot be there.
    init(url: String, quantization: VectorQuantization) throws {
        var server = try RedisConfiguration(url: url)
        // Depth and a busy machine must not end in errors.
        server.commandTimeout = .seconds(30)
        let configuration = RedisVectorStore.Configuration(timeout: .seconds(30))
        let options = RedisStoreOptions(kind: .vectorSet, quantization: quantization, configuration: configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let executor = LoopExecutor(group.any())
        let logger = Logger(label: "semcache-bench") { _ in SwiftLogNoOpLogHandler() }
        let client = RedisClient(server, group: group, logger: logger)
        self.server = server
        self.group = group
        self.executor = executor
        self.client = client
        do {
            self.store = try executor.wait {
                try await RedisVectorStore.open(client, options: options, logger: logger) { .now }
            }
        } catch {
            try executor.wait { await client.close() }
            try group.syncShutdownGracefully()
            throw error
        }
        self.scope = TenantScope(authenticated: TenantID("bench \(UInt64.random(in: .min ... .max))"))
        let identity = EmbeddingIdentity(
            provider: "bench", model: "all-MiniLM-L6-v2", dimensions: MiniLMEncoder.dimensions, revision: "1")
        self.partition = Partition(of: CacheScope("bench", of: self.scope), embedding: identity, vary: [])
        let store = self.store
        self.upkeep = Task(executorPreference: executor) { await store.run() }
    }

    /// Removes what the tenant has, and closes the connections.
    func close() throws {
        let (client, group) = (self.client, self.group)
        self.upkeep.cancel()
        let result = Result { try self.removeAll() }
        try self.executor.wait {
            await self.upkeep.value
            await client.close()
        }
        try group.syncShutdownGracefully()
        try result.get()
    }

    func removeAll() throws {
        let (store, scope) = (self.store, self.scope)
        _ = try self.executor.wait { try await store.remove(.tenant(scope), dryRun: false, at: .now) }
    }

    /// Makes an entry of the partition, fit for a day.
    func entry(_ prompt: CanonicalPrompt, responseBytes: Int, attributes: [Attribute] = []) -> CacheEntry {
        let now = Timestamp.now
        return CacheEntry(
            id: self.partition.entryID(of: prompt), prompt: prompt, response: Self.response(responseBytes),
            contentType: CacheEntry.defaultContentType, attributes: attributes, usage: nil, createdAt: now,
            expiresAt: now + .seconds(86_400))
    }

    static func response(_ bytes: Int) -> [UInt8] { (0..<bytes).map { UInt8(ascii: "a") + UInt8($0 % 26) } }

    /// What a call took, nanoseconds, and gave.
    struct Timed<Outcome: Sendable>: Sendable {
        let time: UInt64
        let outcome: Outcome
    }

    /// Makes calls, so many at a time, and times each.
    ///
    /// - Parameter call: Is told the number of the call.
    /// - Returns: In the order of their numbers.
    func time<Outcome: Sendable>(
        _ count: Int, depth: Int,
        _ call: @escaping @Sendable (RedisVectorStore, Int) async throws -> Outcome
    ) throws -> [Timed<Outcome>] {
        let store = self.store
        return try self.executor.wait {
            try await withThrowingTaskGroup(of: [(Int, Timed<Outcome>)].self) { group in
                let taken = Counter()
                for _ in 0..<min(depth, count) {
                    group.addTask {
                        var done: [(Int, Timed<Outcome>)] = []
                        while let number = taken.next(below: count) {
                            let start = Machine.now
                            let outcome = try await call(store, number)
                            done.append((number, Timed(time: Machine.now - start, outcome: outcome)))
                        }
                        return done
                    }
                }
                var all: [Timed<Outcome>?] = Array(repeating: nil, count: count)
                for try await part in group {
                    for (number, timed) in part { all[number] = timed }
                }
                return all.compactMap { $0 }
            }
        }
    }

    /// Sends a command of the measurement's own and waits for its reply.
    func reply(to command: RedisCommand) throws -> RESPValue {
        let client = self.client
        return try self.executor.wait { try await client.send(command) }
    }

    /// Sends several at once; in their order.
    func replies(to commands: [RedisCommand]) throws -> [RESPValue] {
        let client = self.client
        return try self.executor.wait { try await client.send(commands).map { try $0.get() } }
    }

    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)

        func next(below limit: Int) -> Int? {
            let number = self.value.wrappingAdd(1, ordering: .relaxed).oldValue
            return number < limit ? number : nil
        }
    }
}

extension Timestamp {
    static var now: Self {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Self(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
