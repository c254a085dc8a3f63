// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import Synchronization

/// The servers of a deployment, and which of them a command goes to.
///
/// One task finds out who they are, again and again: soon when a command had trouble, else from time to time. So there
/// is never more than one such inquiry at a time. Commands go on with what is known meanwhile.
final class RedisTopology: Sendable {
    /// A server, as long as anything uses it: the last reference that goes closes its connections.
    final class Server: Sendable {
        let node: RedisNode
        private let trouble = Mutex(Trouble())
        /// Of refusing some commands, which says nothing of others.
        private let refusal = Mutex(Trouble())
        private let noAbandonBefore = Mutex(NIODeadline.uptimeNanoseconds(0))

        init(_ node: RedisNode) { self.node = node }

        /// - Returns: The age of the trouble of this kind.
        func failed(_ failure: RedisError, at now: NIODeadline) -> TimeAmount {
            if failure.isRefusalOfSome { return self.refusal.withLock { $0.failed(at: now) } }
            return self.trouble.withLock { $0.failed(at: now) }
        }

        /// - Parameter wasRefused: Whether the command had been one of those that the server refused.
        func succeeded(wasRefused: Bool = false) {
            self.trouble.withLock { $0.passed() }
            if wasRefused { self.refusal.withLock { $0.passed() } }
        }

        /// Has its name looked up anew, now and then.
        func reconnect(at now: NIODeadline) {
            let isDue = self.noAbandonBefore.withLock { next in
                guard now >= next else { return false }
                next = now + RedisLimits.abandonPause
                return true
            }
            if isDue { self.node.abandon() }
        }
    }

    enum Destination {
        case route(RedisCommand.Route)
        /// One of ``primaries``.
        case primary(RedisAddress)
        /// Where a server of a cluster sent the command on to.
        case redirected(RedisAddress, isAsking: Bool)
    }

    private struct State {
        var servers: [RedisAddress: Server] = [:]
        /// Where commands go: one, but in a cluster. Empty until it is known.
        var primaries: [Server] = []
        /// Of a cluster; its places are those in `primaries`.
        var slots: SlotMap?
        /// Why it is not known who they are.
        var fault = RedisError.unknownServers
        /// Of not knowing a server for a command.
        var trouble = Trouble()
        var turn = 0
        var isClosed = false
    }

    let configuration: RedisConfiguration
    let logger: Logger
    let group: any EventLoopGroup
    private let state = Mutex(State())
    private let requests: AsyncStream<Void>
    private let requester: AsyncStream<Void>.Continuation
    /// The task of ``run()``, which ``close()`` ends and waits for.
    private let inquiry = Mutex<Task<Void, Never>?>(nil)

    init(_ configuration: RedisConfiguration, group: any EventLoopGroup, logger: Logger) {
        self.configuration = configuration
        self.group = group
        self.logger = logger
        (self.requests, self.requester) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        if case .standalone(let address) = configuration.deployment {
            self.publish([address], nil)
        } else {
            self.refresh()
            self.inquiry.withLock { $0 = Task { await self.run() } }
        }
    }

    var isCluster: Bool {
        if case .cluster = self.configuration.deployment { true } else { false }
    }

    var primaries: [RedisAddress] { self.state.withLock { $0.primaries.map(\.node.address) } }

    var isAvailable: Bool {
        self.state.withLock { !$0.isClosed && $0.primaries.contains { $0.node.isAvailable } }
    }

    /// - Throws: `.closed`, or why there is no server for it.
    func server(for destination: Destination) throws(RedisError) -> Server {
        let found: Result<Server, RedisError> = self.state.withLock { state in
            guard !state.isClosed else { return .failure(.closed) }
            let server: Server?
            switch destination {
            case .route(.key(let slot)):
                server =
                    if let slots = state.slots { slots.owner(of: slot).map { state.primaries[$0] } } else {
                        state.primaries.first
                    }
            case .route(.any):
                state.turn &+= 1
                server = state.primaries.next(after: state.turn)
            case .primary(let address):
                server = state.primaries.first { $0.node.address == address }
            case .redirected(let address, _):
                server = self.namedServer(at: address, in: &state)
            }
            if let server { return .success(server) }
            if state.primaries.isEmpty { return .failure(state.fault) }
            return .failure(RedisError(.unreachable, "no server is known that serves this now"))
        }
        return try found.get()
    }

    /// Notes that there was no server for a command.
    ///
    /// - Returns: For how long that has been so.
    func failed(at now: NIODeadline) -> TimeAmount { self.state.withLock { $0.trouble.failed(at: now) } }

    /// Notes what a server of a cluster said about another.
    func moved(_ redirection: Redirection) {
        self.state.withLock { state in
            guard !state.isClosed, let server = self.namedServer(at: redirection.address, in: &state),
                var slots = state.slots.take()
            else { return }
            slots.assign(redirection.slot, to: redirection.address)
            if slots.primaries.count > state.primaries.count { state.primaries.append(server) }
            state.slots = slots
        }
        self.refresh()
    }

    /// Notes that a server is a replica. If nobody but the URL says who the primary is, its name or address may have
    /// moved on to another while the connections stay with the old one.
    func foundReplica(_ server: Server?, at now: NIODeadline) {
        if case .standalone = self.configuration.deployment { server?.reconnect(at: now) }
    }

    /// Has it found out soon who the servers are.
    func refresh() { self.requester.yield() }

    /// Lets commands that were sent get their replies, and takes no more.
    func close() async {
        self.state.withLock { $0.isClosed = true }
        let inquiry = self.inquiry.withLock { $0 }
        inquiry?.cancel()
        await inquiry?.value
        // Only now is there nobody left who adds one. All are let go of outside of the lock, as their ends take others.
        let servers = self.state.withLock { state in
            defer {
                state.servers = [:]
                state.primaries = []
                state.slots = nil
            }
            return Array(state.servers.values)
        }
        await withDiscardingTaskGroup { tasks in
            for server in servers { tasks.addTask { await server.node.close() } }
        }
    }

    private func run() async {
        let interval = self.isCluster ? RedisLimits.clusterInterval : RedisLimits.sentinelInterval
        await withDiscardingTaskGroup { tasks in
            tasks.addTask {
                // Between 75 and 125 per cent of it, so that replicas of the service do not ask together.
                while (try? await Task.sleep(for: interval * Double.random(in: 0.75...1.25))) != nil { self.refresh() }
            }
            var inquirer = TopologyInquirer(self.configuration, self)
            for await _ in self.requests {
                var replaced: [Server] = []
                do throws(RedisError) {
                    let (primaries, slots) = try await inquirer.inquire()
                    replaced = self.publish(primaries, slots)
                } catch {
                    self.note(error)
                }
                guard (try? await Task.sleep(for: RedisLimits.inquiryPause)) != nil else { break }
                // What has no reply by now may never get one, as the server was replaced because it is silent; at its
                // successor the command may be tried again.
                for server in replaced { server.node.abandon() }
            }
            await inquirer.close()
        }
    }

    /// Makes it known who the servers are, and forgets the others.
    ///
    /// - Returns: Those that are primaries no more.
    @discardableResult
    private func publish(_ primaries: [RedisAddress], _ slots: SlotMap?) -> [Server] {
        let kept = Set(primaries)
        // All that were known, so that none ends within the lock.
        let (isNew, replaced, _) = self.state.withLock { state -> (Bool, [Server], [RedisAddress: Server]) in
            guard !state.isClosed else { return (false, [], [:]) }
            let known = state.servers
            let before = state.primaries
            // If some were known before, one is missing for some slots: an answer alone does not mend that.
            if before.isEmpty { state.trouble.passed() }
            state.primaries = primaries.map { self.server(at: $0, in: &state) }
            state.slots = slots
            state.fault = .unknownServers
            state.servers = state.servers.filter { kept.contains($0.key) }
            let replaced = before.filter { !kept.contains($0.node.address) }
            return (before.map(\.node.address) != primaries, replaced, known)
        }
        if isNew, self.inquiry.withLock({ $0 != nil }) {
            self.logger.info("redis primaries found", metadata: ["redis.primaries": "\(primaries)"])
        }
        return replaced
    }

    /// What was known stays in use: that nobody answers who the servers are says nothing of the servers.
    private func note(_ error: RedisError) {
        let (isNew, _) = self.state.withLock { state in
            defer { state.fault = error }
            // Those that were only asked are let go of, outside of the lock.
            let known = state.servers
            let kept = Set(state.primaries.map(\.node.address))
            state.servers = known.filter { kept.contains($0.key) }
            return (!state.isClosed && state.fault != error, known)
        }
        guard isNew else { return }
        self.logger.warning(
            "redis servers could not be found out",
            metadata: ["error.code": .string(error.code.rawValue), "error.message": .string(error.message)])
    }
}

extension RedisTopology {
    /// A server that is asked who the primaries are.
    func server(at address: RedisAddress) -> Server {
        self.state.withLock { self.server(at: address, in: &$0) }
    }

    /// Servers of the cluster, those first that are the most likely to answer.
    func clusterMembers(_ seeds: [RedisAddress]) -> [RedisAddress] {
        let (available, unavailable, replicas) = self.state.withLock { state in
            let available = state.primaries.filter { $0.node.isAvailable }
            let unavailable = state.primaries.filter { !$0.node.isAvailable }
            return (available.map(\.node.address), unavailable.map(\.node.address), state.slots?.replicas ?? [])
        }
        var seen: Set<RedisAddress> = []
        return (available.shuffled() + (replicas + seeds + unavailable).shuffled()).filter { seen.insert($0).inserted }
    }

    /// A server that another one named.
    ///
    /// - Returns: `nil` if it is not known, and too many are.
    private func namedServer(at address: RedisAddress, in state: inout State) -> Server? {
        guard state.servers[address] != nil || state.servers.count < 2 * RedisLimits.maximumServers else { return nil }
        return self.server(at: address, in: &state)
    }

    private func server(at address: RedisAddress, in state: inout State) -> Server {
        if let server = state.servers[address] { return server }
        let server = Server(self.makeNode(address))
        state.servers[address] = server
        return server
    }
}

extension [RedisTopology.Server] {
    /// The next one in turn that can be reached, else the next.
    fileprivate func next(after turn: Int) -> Element? {
        guard !self.isEmpty else { return nil }
        let start = abs(turn % self.count)
        return (self[start...] + self[..<start]).first { $0.node.isAvailable } ?? self[start]
    }
}

extension RedisError {
    static var closed: Self { Self(.closed, "the client was closed") }
    fileprivate static var unknownServers: Self { Self(.unreachable, "it is not known yet which server to use") }
}
