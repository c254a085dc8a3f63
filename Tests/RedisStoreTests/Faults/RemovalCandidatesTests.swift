// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import RedisStore

/// Which entries of a vector set a removal by filter looks at.
@Suite struct RemovalCandidatesTests {
    private let partition = PartitionKeys(
        Array("0123456789abcdef0123456789abcdef".utf8), in: TenantKeys(tag: "tag"))

    /// - Parameter cards: What the server says, one after the other, of how many elements there are.
    private func candidates(cards: [Int], dimensions: ScriptedRedisServer.Reply) async throws -> [EntryID] {
        let left = Mutex(cards)
        let server = try await ScriptedRedisServer.start { _, arguments in
            switch String(decoding: arguments[0], as: UTF8.self) {
            case "VCARD": .text(":\(left.withLock { $0.isEmpty ? 0 : $0.removeFirst() })\r\n")
            case "VDIM": dimensions
            default: nil
            }
        }
        let client = try makeClient("redis://127.0.0.1:\(server.port)", timeout: .seconds(2))
        let index = VectorSetIndex(client: client, quantization: .none)
        let sieve = Sieve(supersetOf: try MetadataFilter("beta"), numbers: index.numbers)
        let result: Result<[EntryID], VectorStoreError>
        do throws(VectorStoreError) {
            let ids = try await index.entries(
                passing: sieve, in: self.partition, identity: Digest(words: (1, 2, 3, 4)))
            result = .success(ids)
        } catch {
            result = .failure(error)
        }
        await client.close()
        await server.stop()
        return try result.get()
    }

    @Test func `what cannot be listed is not taken for nothing, or a removal would leave it and say that it is done`()
        async throws
    {
        await #expect(throws: VectorStoreError.self) {
            try await self.candidates(cards: [3, 3], dimensions: .error("ERR not now"))
        }
    }

    @Test func `a vector set that goes while it is asked about has no candidates`() async throws {
        #expect(try await self.candidates(cards: [3, 0], dimensions: .error("ERR key does not exist")) == [])
        #expect(try await self.candidates(cards: [0], dimensions: .error("ERR key does not exist")) == [])
    }
}
