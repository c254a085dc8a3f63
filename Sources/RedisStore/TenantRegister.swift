// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient
import Synchronization

/// Which tenants have entries in Redis, and what its clocks say.
///
/// The sets have slots of their own, so a put cannot change them in its script. They are written before the first put of a
/// tenant and again every minute: who sweeps finds every tenant, even after a server lost its data.
final class TenantRegister: Sendable {
    static let tenants = RedisKey("semcache:tenants")

    private struct Note {
        /// `nil` if only the clock was read.
        var registered: ContinuousClock.Instant?
        /// The server's clock, ms, and when it was that by ours.
        var serverTime: Int64
        var read: ContinuousClock.Instant

        func serverTime(at time: ContinuousClock.Instant) -> Int64 {
            self.serverTime + (time - self.read).wholeMilliseconds
        }
    }

    /// Of a clock that is believed, ms: some ten thousand years, so that no sum with it overflows.
    private static let latest: Int64 = 1 << 48

    private let client: RedisClient
    private let notes = Mutex<[RedisKey: Note]>([:])

    init(client: RedisClient) { self.client = client }

    /// The prefixes of one tenant, those of older layouts too.
    static func prefixes(of tenant: TenantID) -> RedisKey {
        RedisKey("semcache:tenant:{\(KeyLayout.tag(of: tenant))}")
    }

    /// Registers a shard of a tenant, unless that was done lately.
    ///
    /// - Returns: When by the server's clock a time from now will have passed, ms.
    func fence(
        of keys: TenantKeys, tenant: TenantScope, in time: Duration
    ) async throws(VectorStoreError) -> Int64 {
        let now = ContinuousClock.now
        if let note = self.notes.withLock({ $0[keys.prefix] }), let registered = note.registered,
            now - registered < Limits.tenantRegisterInterval
        {
            return note.serverTime(at: now + time)
        }
        var one = RedisCommand("SADD", on: Self.prefixes(of: tenant.tenant), isRepeatable: true)
        one.append(keys.prefix.bytes)
        var all = RedisCommand("SADD", on: Self.tenants, isRepeatable: true)
        all.append(keys.prefix.bytes)
        var commands = [one, all, Self.clock(of: keys)]
        // Whoever waits for the change waits for this first.
        let limit = min(time, self.client.configuration.commandTimeout)
        for position in commands.indices { commands[position].timeout = limit }
        let replies = await self.client.replies(to: commands)
        for reply in replies { _ = try reply.get() }
        return try self.noteClock(try replies[2].get(), of: keys, registered: now).serverTime + time.wholeMilliseconds
    }

    /// The same without registering it: there may be nothing of it, and no memory to register it in.
    func fence(of keys: TenantKeys, in time: Duration) async throws(VectorStoreError) -> Int64 {
        let now = ContinuousClock.now
        if let note = self.notes.withLock({ $0[keys.prefix] }), now - note.read < Limits.tenantRegisterInterval {
            return note.serverTime(at: now + time)
        }
        var command = Self.clock(of: keys)
        command.timeout = min(time, self.client.configuration.commandTimeout)
        let reply = try await self.client.reply(to: command)
        return try self.noteClock(reply, of: keys, registered: nil).serverTime + time.wholeMilliseconds
    }

    private static func clock(of keys: TenantKeys) -> RedisCommand {
        RedisCommand("TIME", route: .key(slot: keys.prefix.slot), isRepeatable: true)
    }

    private func noteClock(
        _ reply: RESPValue, of keys: TenantKeys, registered: ContinuousClock.Instant?
    ) throws(VectorStoreError) -> Note {
        let parts = try RESPReader.array(reply)
        guard parts.count == 2 else { throw RESPReader.unexpected }
        let (seconds, microseconds) = (try RESPReader.integer(parts[0]), try RESPReader.integer(parts[1]))
        guard (0...Self.latest / 1000).contains(seconds), (0..<1_000_000).contains(microseconds) else {
            throw RESPReader.unexpected
        }
        let serverTime = seconds * 1000 + microseconds / 1000
        // As if it had been read just now: the fence comes out too early by at most the round trip, never too late.
        let note = Note(registered: registered, serverTime: serverTime, read: ContinuousClock.now)
        self.notes.withLock { notes in
            if notes.count >= Limits.maximumTenants, let other = notes.keys.first { notes[other] = nil }
            let known = notes[keys.prefix]?.registered
            notes[keys.prefix] = note
            notes[keys.prefix]?.registered = registered ?? known
        }
        return note
    }

    /// Corrects what is known of a server's clock.
    func note(serverTime: Int64, of keys: TenantKeys) {
        guard (0...Self.latest).contains(serverTime) else { return }
        let now = ContinuousClock.now
        self.notes.withLock { notes in
            // One that was long on its way back says less than what is known.
            guard let note = notes[keys.prefix], note.serverTime(at: now) < serverTime else { return }
            notes[keys.prefix]?.serverTime = serverTime
            notes[keys.prefix]?.read = now
        }
    }

    /// Forgets what is known, after a change that failed: the server's clock may have been set.
    func forget(_ keys: TenantKeys) { self.notes.withLock { $0[keys.prefix] = nil } }
}
