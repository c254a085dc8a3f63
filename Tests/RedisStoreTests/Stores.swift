// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Logging
import NIOPosix
import RedisClient
import Synchronization
import TestSupport

@testable import RedisStore

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// One server for all tests that do not harm it, each with a database of its own: sweeps go over all tenants of one, and
/// tests have clocks of their own.
let sharedServer = Task { try await RedisServer.start(options: ["--databases", "1000"]) }
private let nextDatabase = Atomic(1)

/// The URL of a database that no other test uses.
func freshDatabase() async throws -> String {
    let number = nextDatabase.wrappingAdd(1, ordering: .relaxed).oldValue
    return "redis://127.0.0.1:\(try await sharedServer.value.port)/\(number)"
}

func makeClient(_ url: String, timeout: Duration = .seconds(20), connections: Int? = nil) throws -> RedisClient {
    var configuration = try RedisConfiguration(url: url)
    if let connections { configuration.connectionsPerNode = connections }
    configuration.commandTimeout = timeout
    configuration.connectTimeout = timeout
    return RedisClient(configuration, group: MultiThreadedEventLoopGroup.singleton, logger: silent)
}

/// - Parameter clock: For sweeps in the background, which no test runs.
func makeVectorSetStore(
    _ client: RedisClient, quantization: VectorQuantization = .none, shards: Int = 1
) -> RedisVectorStore {
    RedisVectorStore(
        client: client, index: VectorSetIndex(client: client, quantization: quantization),
        configuration: .init(shards: shards), logger: silent,
        clock: { Timestamp(milliseconds: 0) })
}
