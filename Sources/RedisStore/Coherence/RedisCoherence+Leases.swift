// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Logging
import NIOCore
import RedisClient
import Synchronization

extension RedisCoherence {
    /// Whether what others say of a tenant is heard, so that they can say that they have heard of a change.
    private func isListening(to holding: Holding) -> Bool {
        holding.shards.allSatisfy { $0.subscription != nil }
    }

    /// To be called before a tenant's entries are changed: from then on it is heard who has heard of it.
    func listen(to tenant: TenantScope) async {
        let holding = self.holding(of: tenant)
        let hasFailed = holding.state.withLock { state in
            state.lastUse = .now
            return state.hasFailed
        }
        if !hasFailed, !self.isListening(to: holding) { await self.renew(holding) }
    }

    /// Renews the lease of a tenant, or gets it. What fails is tried again; the lease runs out meanwhile.
    func renew(_ holding: Holding) async {
        let isFirst = holding.state.withLock { state in
            defer { state.isRenewing = true }
            return !state.isRenewing
        }
        guard isFirst else {
            return await withCheckedContinuation { continuation in
                let isOver = holding.state.withLock { state in
                    if state.isRenewing { state.waitForRenewal.append(continuation) }
                    return !state.isRenewing
                }
                if isOver { continuation.resume() }
            }
        }
        var grounds: [Grounds] = []
        for shard in holding.shards {
            guard let ground = await self.renew(shard) else { break }
            grounds.append(ground)
        }
        let isRenewed = grounds.count == holding.shards.count && self.grant(holding, grounds)
        let pause = isRenewed ? self.times.renewal : self.times.renewal / 5
        holding.state.withLock { $0.hasFailed = !isRenewed }
        self.endRenewal(of: holding, next: .now + pause)
    }

    func endRenewal(of holding: Holding, next: ContinuousClock.Instant?) {
        let waiting = holding.state.withLock { state in
            state.isRenewing = false
            state.nextRenewal = next
            defer { state.waitForRenewal = [] }
            return state.waitForRenewal
        }
        for waiter in waiting { waiter.resume() }
    }

    /// What the lease of one shard rests on.
    private struct Grounds {
        let subscription: Subscription
        /// Whether something may have been missed.
        let isNew: Bool
        let end: Int64
    }

    private func grant(_ holding: Holding, _ grounds: [Grounds]) -> Bool {
        let end = grounds.reduce(Int64.max) { min($0, $1.end) }
        // What was read before, or is being read, may be of a time that nobody told us of.
        if grounds.contains(where: \.isNew) || !holding.lease.permits {
            guard let observer else { return false }
            observer.heard(.missed, of: holding.tenant)
        }
        return self.grant(holding, until: end, on: grounds.map(\.subscription))
    }

    private func renew(_ shard: Shard) async -> Grounds? {
        do throws(RedisError) {
            let (listener, subscription) = self.listener(at: try self.client.server(ofSlot: shard.keys.prefix.slot))
            let isNew = shard.subscription != subscription
            if isNew {
                // Whether it is the right server: what it says to a subscription nobody could tell from a reply.
                _ = try await listener.node.send(self.renewal(in: shard.keys), by: self.deadline)
                var command = RedisCommand("SSUBSCRIBE", isRepeatable: true, hasReply: false)
                command.append(shard.keys.changes)
                command.append(shard.keys.acknowledgements(of: self.replica))
                listener.node.post(command, by: self.deadline)
            }
            let start = MemoryLease.now
            let reply = try await listener.node.send(self.renewal(in: shard.keys), by: self.deadline)
            guard case .array(let parts) = reply, parts.count == 3, case .integer(let known) = parts[0],
                case .integer(let count) = parts[1], case .bytes(let era) = parts[2]
            else { return nil }
            // Who is cut off from those who follow it may have been replaced.
            let followers = self.followers.required(Int(clamping: count), of: era)
            guard try await self.isConfirmed(by: followers, of: era, in: shard.keys) else { return nil }
            // The replies came over the connection that the subscription was made on, if that still stands.
            guard shard.subscription == subscription else { return nil }
            return Grounds(
                subscription: subscription, isNew: isNew || known == 0,
                end: start + self.times.use.nanoseconds)
        } catch {
            self.logger.debug("a lease could not be renewed", metadata: ["error.code": "\(error.code.rawValue)"])
            // Silence is for the connection's own timer to notice; another server may be the primary by now.
            self.client.refresh()
            return nil
        }
    }

    /// Whether all that follow a server have what was written there so far: any of them may be promoted.
    ///
    /// On a connection of its own, as one that waits answers nothing else.
    ///
    /// - Parameter era: Of the server that is meant; another one, or another life of it, could say nothing of it.
    func isConfirmed(
        by followers: Int, of era: ByteBuffer, in keys: TenantKeys
    ) async throws(RedisError) -> Bool {
        if followers == 0 { return true }
        let confirmer = self.listener(at: try self.client.server(ofSlot: keys.prefix.slot)).0.confirmer
        let mark = Self.command(self.scripts.confirm, on: keys)
        guard try await confirmer.send(mark, by: self.deadline) == .bytes(era) else { return false }
        var command = RedisCommand("WAIT", isRepeatable: true)
        command.append(Int64(followers))
        command.append(Limits.redisConfirmationMilliseconds)
        let deadline = self.deadline + .milliseconds(Limits.redisConfirmationMilliseconds)
        guard case .integer(let count) = try await confirmer.send(command, by: deadline) else { return false }
        return count >= followers
    }

    var deadline: NIODeadline { .now() + TimeAmount(Limits.memoryLeaseDeadline) }

    private func renewal(in keys: TenantKeys) -> RedisCommand {
        var command = Self.command(self.scripts.renew, on: keys)
        command.append(self.replica.bytes)
        return command
    }

    /// - Parameter replicas: With the counts of renewals that they must have; any if `nil`.
    func strike(_ replicas: [(ReplicaID, ByteBuffer?)], in keys: TenantKeys) -> RedisCommand {
        var command = Self.command(self.scripts.strike, on: keys)
        for (replica, count) in replicas {
            command.append(replica.bytes)
            command.append(count ?? ByteBuffer())
        }
        return command
    }

    /// By its text: these are short, and seldom.
    static func command(_ script: RedisScript, on keys: TenantKeys) -> RedisCommand {
        var command = RedisCommand(
            "EVAL", route: .key(slot: keys.prefix.slot), isRepeatable: script.isRepeatable,
            capacity: script.source.utf8.count + 256)
        command.append(script.source)
        command.append(2)
        command.append(keys.entries.bytes)
        command.append(keys.register.bytes)
        return command
    }
}

extension Duration {
    /// Of times of some seconds.
    fileprivate var nanoseconds: Int64 {
        self.components.seconds * 1_000_000_000 + self.components.attoseconds / 1_000_000_000
    }
}
