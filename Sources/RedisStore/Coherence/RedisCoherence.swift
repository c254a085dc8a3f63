// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Logging
import NIOCore
import RedisClient
import Synchronization

/// This replica among the others on one Redis: holds its leases, hears what the others change, and waits until they have
/// heard what it changes. Sources/README.md has the protocol and why it is right.
package final class RedisCoherence: Coherence {
    /// Times of the protocol. All replicas must agree on the lease.
    struct Times: Sendable {
        var lease = Limits.memoryLease
        var use = Limits.memoryLeaseUse
        var renewal = Limits.memoryLeaseRenewal
        var idle = Limits.memoryLeaseIdle
    }

    /// A tenant in one slot.
    final class Shard: Sendable {
        let keys: TenantKeys
        /// On which connection its changes are heard. Read and changed under the lock of the whole.
        private let connection = Mutex<Subscription?>(nil)

        init(_ keys: TenantKeys) { self.keys = keys }

        var subscription: Subscription? {
            get { self.connection.withLock { $0 } }
            set { self.connection.withLock { $0 = newValue } }
        }
    }

    /// One connection of a listener.
    struct Subscription: Hashable {
        let address: RedisAddress
        let generation: UInt64
    }

    /// A tenant that was asked for.
    final class Holding: Sendable {
        let tenant: TenantScope
        let lease: MemoryLease
        let shards: [Shard]
        let state = Mutex(State())

        struct State {
            /// When it was last seen to be in use.
            var lastUse: ContinuousClock.Instant?
            var lastLook: ContinuousClock.Instant?
            var nextRenewal: ContinuousClock.Instant?
            var isRenewing = false
            /// Whether the last attempt came to nothing: it is tried again, and who is in a hurry does not wait for it.
            var hasFailed = false
            var waitForRenewal: [CheckedContinuation<Void, Never>] = []
        }

        init(_ tenant: TenantScope, _ lease: MemoryLease, _ shards: [Shard]) {
            self.tenant = tenant
            self.lease = lease
            self.shards = shards
        }
    }

    /// The connections to one server: what is heard on the one must come in one order with the leases, and what is
    /// confirmed on the other may block it for a while.
    struct Listener: Sendable {
        let address: RedisAddress
        let node: RedisNode
        let confirmer: RedisNode
    }

    struct State {
        var holdings: [TenantID: Holding] = [:]
        /// By the name of the channel.
        var channels: [[UInt8]: (holding: Holding, shard: Shard)] = [:]
        var listeners: [RedisAddress: Listener] = [:]
        /// Of the connections of a listener; grows when one ends.
        var generations: [RedisAddress: UInt64] = [:]
        var observer: (any StoreObserver)?
    }

    let replica = ReplicaID()
    let times: Times
    let client: RedisClient
    let layout: KeyLayout
    let scripts: StoreScripts
    let logger: Logger
    let acknowledgements = Acknowledgements()
    let followers = Followers()
    let metrics = CoherenceMetrics()
    let state = Mutex(State())
    private let requests: AsyncStream<Void>
    private let requester: AsyncStream<Void>.Continuation

    init(client: RedisClient, layout: KeyLayout, scripts: StoreScripts, times: Times = Times(), logger: Logger) {
        self.client = client
        self.layout = layout
        self.scripts = scripts
        self.times = times
        self.logger = logger
        (self.requests, self.requester) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// - Parameter observer: Is told what others change; referred to until ``run()`` has ended.
    package func attach(_ observer: any StoreObserver) { self.state.withLock { $0.observer = observer } }

    var observer: (any StoreObserver)? { self.state.withLock { $0.observer } }

    package func lease(of tenant: TenantScope) -> MemoryLease { self.holding(of: tenant).lease }

    func holding(of tenant: TenantScope) -> Holding {
        self.state.withLock { state in
            if let known = state.holdings[tenant.tenant] { return known }
            let requester = self.requester
            // What is used while it is not granted is asked for at once.
            let lease = MemoryLease { requester.yield() }
            let holding = Holding(tenant, lease, self.layout.keys(of: tenant).map { Shard($0) })
            state.holdings[tenant.tenant] = holding
            for shard in holding.shards {
                state.channels[shard.keys.changes] = (holding, shard)
                state.channels[shard.keys.acknowledgements(of: self.replica)] = (holding, shard)
            }
            return holding
        }
    }

    // MARK: Life

    /// Renews the leases of tenants that are in use, until the task is cancelled; then gives them up.
    package func run() async {
        await withDiscardingTaskGroup { tasks in
            tasks.addTask {
                while (try? await Task.sleep(for: self.times.renewal / 5)) != nil { self.requester.yield() }
            }
            for await _ in self.requests {
                await self.renewDue()
                await self.closeUnused()
                guard (try? await Task.sleep(for: Limits.memoryLeasePause)) != nil else { break }
            }
        }
        // This task is cancelled, and its commands would be; who cancelled it waits for it, and so for them.
        await Task { await self.leave() }.value
    }

    private func renewDue() async {
        let now = ContinuousClock.now
        var due = self.state.withLock { Array($0.holdings.values) }.filter { self.isDue($0, at: now) }[...]
        while !due.isEmpty {
            let some = due.prefix(Limits.memoryLeasesAtOnce)
            due = due.dropFirst(some.count)
            await withDiscardingTaskGroup { tasks in
                for holding in some { tasks.addTask { await self.renew(holding) } }
            }
        }
    }

    /// Whether a lease must be renewed; one that nobody uses any more is let go.
    private func isDue(_ holding: Holding, at now: ContinuousClock.Instant) -> Bool {
        enum Step { case renew, wait, release }
        let step = holding.state.withLock { state -> Step in
            let isLookDue = state.lastLook.map { now - $0 >= self.times.idle / 4 } ?? true
            if state.lastUse == nil || isLookDue {
                if holding.lease.takeUse() { state.lastUse = now }
                state.lastLook = now
            }
            guard let lastUse = state.lastUse else { return .wait }
            guard now - lastUse < self.times.idle else {
                if state.isRenewing { return .wait }
                state.lastUse = nil
                state.nextRenewal = nil
                // Whoever wants it again waits until it is given up.
                state.isRenewing = true
                return .release
            }
            return now >= state.nextRenewal ?? now ? .renew : .wait
        }
        if step == .release {
            self.release(holding)
            self.endRenewal(of: holding, next: nil)
        }
        return step == .renew
    }

    /// Gives a lease up, so that nobody waits for this replica any more.
    private func release(_ holding: Holding) {
        for shard in holding.shards {
            let listener = self.state.withLock { state in
                holding.lease.end()
                defer { shard.subscription = nil }
                return shard.subscription.flatMap { state.listeners[$0.address] }
            }
            guard let listener else { continue }
            var command = RedisCommand("SUNSUBSCRIBE", isRepeatable: true, hasReply: false)
            command.append(shard.keys.changes)
            command.append(shard.keys.acknowledgements(of: self.replica))
            listener.node.post(command, by: .now() + .seconds(1))
            listener.node.post(self.strike([(self.replica, nil)], in: shard.keys), by: .now() + .seconds(1))
        }
    }

    private func leave() async {
        let (holdings, listeners) = self.state.withLock { state in
            defer { state.observer = nil }
            return (Array(state.holdings.values), Array(state.listeners.values))
        }
        for holding in holdings { self.release(holding) }
        for listener in listeners { await self.close(listener) }
    }

    // MARK: Listeners

    /// Grants a lease, unless something that it rests on is gone.
    func grant(_ holding: Holding, until end: Int64, on subscriptions: [Subscription]) -> Bool {
        // Whoever ends it takes the same lock.
        self.state.withLock { _ in
            guard holding.shards.map(\.subscription) == subscriptions else { return false }
            holding.lease.grant(until: end)
            return true
        }
    }

    func listener(at address: RedisAddress) -> (Listener, Subscription) {
        self.state.withLock { state in
            let subscription = Subscription(address: address, generation: state.generations[address] ?? 0)
            if let known = state.listeners[address] { return (known, subscription) }
            let node = self.client.makeListener(
                at: address, onPush: { [weak self] in self?.heard($0, at: address) },
                onEnd: { [weak self] in self?.ended(address) })
            let listener = Listener(address: address, node: node, confirmer: self.client.makeListener(at: address))
            state.listeners[address] = listener
            return (listener, subscription)
        }
    }

    /// Servers that no shard is on any more.
    private func closeUnused() async {
        let used = Set(
            self.state.withLock { Array($0.holdings.values) }.flatMap(\.shards).compactMap { shard in
                try? self.client.server(ofSlot: shard.keys.prefix.slot)
            })
        guard !used.isEmpty else { return }
        let unused = self.state.withLock { state in
            let unused = state.listeners.values.filter { !used.contains($0.address) }
            for listener in unused { state.listeners[listener.address] = nil }
            return unused
        }
        for listener in unused {
            // There may be nobody there any more to answer what was sent.
            listener.node.abandon()
            await self.close(listener)
        }
    }

    private func close(_ listener: Listener) async {
        await listener.node.close()
        await listener.confirmer.close()
    }

    /// A connection has ended: nothing is heard any more of those that were subscribed to on it.
    private func ended(_ address: RedisAddress) {
        let losses = self.state.withLock { state in
            state.generations[address, default: 0] += 1
            var losses = 0
            for holding in state.holdings.values {
                for shard in holding.shards where shard.subscription?.address == address {
                    shard.subscription = nil
                    holding.lease.end()
                    holding.state.withLock { $0.nextRenewal = nil }
                    losses += 1
                }
            }
            return losses
        }
        guard losses > 0 else { return }
        self.metrics.count(losses: losses)
        self.logger.warning(
            "the listener to Redis is lost; memory is not served until it is back",
            metadata: ["redis.server": "\(address)", "tenants": "\(losses)"])
        self.requester.yield()
    }
}
