// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

private let durable = ["--appendonly", "yes", "--appendfsync", "always"]

/// One server that fails under load.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ServerFaultTests {
    @Test func `a killed server that keeps everything has lost nothing that was acknowledged`() async throws {
        let server = try await RedisServer.start(options: durable)
        let load = try LedgerLoad(server.url)
        try await load.run {
            for _ in 0..<2 {
                await load.progress.next(300, .change)
                try await server.kill()
                await load.progress.next(50, .failedChange)
                try await server.restart()
                try await expectRecovery(of: load)
            }
            await load.progress.next(200, .change)
        }
        try await load.inspect { _ in server }
        await load.close()
    }

    @Test func `a server that hangs fails calls in time, soon at once, and changes nothing when it wakes up`()
        async throws
    {
        let server = try await RedisServer.start()
        let load = try LedgerLoad(server.url)
        try await load.run {
            for _ in 0..<2 {
                await load.progress.next(300, .change)
                server.pause()
                await load.progress.next(10, .failedChange)
                server.resume()
                try await expectRecovery(of: load)
            }
            server.pause()
            await load.progress.next(10, .failedChange)
            while load.clients.prefix(2).contains(where: \.isAvailable) { await LedgerLoad.pause() }
            _ = load.takeFailures()
            await load.progress.next(200, .failedRead)
            let times = load.takeFailures().map(\.time).sorted()
            // Of 200 and more, a few may have been on their way when it was noticed.
            #expect(times[times.count / 2] < .milliseconds(100) && times[times.count * 9 / 10] < .milliseconds(500))
            server.resume()
            try await expectRecovery(of: load)
            await load.progress.next(200, .change)
        }
        try await load.inspect { _ in server }
        await load.close()
    }

    @Test func `connections that the server closes are replaced, and nobody gets a wrong answer`() async throws {
        let server = try await RedisServer.start()
        let load = try LedgerLoad(server.url)
        try await load.run {
            for _ in 0..<20 {
                await load.progress.next(40, .change)
                try await server.command("CLIENT", "KILL", "TYPE", "normal")
            }
            await load.progress.next(100, .change)
        }
        try await load.inspect { _ in server }
        await load.close()
    }

    @Test func `after FLUSHALL everything goes on from nothing`() async throws {
        let server = try await RedisServer.start()
        let load = try LedgerLoad(server.url)
        load.ledger.allow(.entries)
        try await load.run {
            for _ in 0..<5 {
                await load.progress.next(100, .change)
                try await server.command("FLUSHALL")
            }
            await load.progress.next(200, .change)
        }
        try await load.inspect { _ in server }
        for tenant in load.tenants {
            let size = try await load.inspector.sizes(
                of: tenant, identities: [LedgerItem.identityKey], at: Timestamp(milliseconds: 1_000_000))
            #expect(size.entries == 0 && size.bytes == 0 && size.caches == [])
        }
        await load.close()
        // Whoever starts now tells the sweeper of the tenants again.
        let other = try LedgerLoad(server.url)
        try await other.run { await other.progress.next(100, .change) }
        _ = try await other.inspector.sweep(at: Timestamp(milliseconds: 1_000_000))
        for tenant in other.tenants {
            for keys in other.stores[0].layout.keys(of: tenant) {
                let left = try await server.command("HLEN", String(decoding: keys.entries.bytes, as: UTF8.self))
                #expect(left == .integer(0))
            }
        }
        await other.close()
    }

    @Test func `a server that forgets scripts gets them again, and one that forgets everything is taken as it is`()
        async throws
    {
        let server = try await RedisServer.start()
        let load = try LedgerLoad(server.url)
        try await load.run {
            for _ in 0..<10 {
                await load.progress.next(40, .change)
                try await server.command("SCRIPT", "FLUSH")
            }
        }
        try await load.inspect { _ in server }
        load.ledger.allow(.entries)
        try await load.run {
            await load.progress.next(100, .change)
            try await server.kill()
            try await server.restart()
            try await expectRecovery(of: load)
            await load.progress.next(200, .change)
        }
        try await load.inspect { _ in server }
        await load.close()
    }
}

/// Changes and reads succeed again, on a busy machine too.
func expectRecovery(of load: LedgerLoad, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let start = ContinuousClock.now
    await load.progress.next(20, .change)
    await load.progress.next(20, .read)
    // A cluster is asked for its slots every half a minute anyway.
    #expect(ContinuousClock.now - start < .seconds(20), sourceLocation: sourceLocation)
}
