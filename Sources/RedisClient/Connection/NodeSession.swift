// SPDX-License-Identifier: Apache-2.0

import DequeModule
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// The connections of a node and the commands that wait for one. Confined to its event loop.
final class NodeSession {
    private let address: RedisAddress
    private let configuration: RedisNodeConfiguration
    private let maximumConnections: Int
    private let connectTimeout: TimeAmount
    private let eventLoop: any EventLoop
    private let status: NodeStatus
    private let logger: Logger
    private var breaker = CircuitBreaker()
    /// Those being made among them.
    private var connections: [RedisConnection] = []
    private var waiting: Deque<PendingCommand> = []
    private var bytesWaiting = 0
    /// No command that waits is late before it; it may be earlier than the first that is.
    private var earliestWaiting = NIODeadline.distantFuture
    /// No further connection beside others is made before it.
    private var noGrowthBefore = NIODeadline.uptimeNanoseconds(0)
    /// Attempts to connect whose end is not known: one that was given up may still wait for the name of its host.
    private var attempts = 0
    private var isAbandoning = false
    private var isClosing = false
    private var closeWaiters: [CheckedContinuation<Void, Never>] = []
    private var timer: (task: Scheduled<Void>, at: NIODeadline)?

    init(
        _ address: RedisAddress, _ configuration: RedisNodeConfiguration, eventLoop: any EventLoop,
        status: NodeStatus, logger: Logger
    ) {
        self.address = address
        self.configuration = configuration
        self.maximumConnections = min(max(1, configuration.connections), RedisLimits.maximumConnections)
        self.connectTimeout = TimeAmount(bounded: configuration.connectTimeout)
        self.eventLoop = eventLoop
        self.status = status
        self.logger = logger
    }

    func process(_ items: [NodeInbox.Item]) {
        let now = NIODeadline.now()
        for item in items {
            switch item {
            case .command(let command): self.submit(command, at: now)
            case .cancel(let id): self.cancel(id)
            case .abandon: self.abandon()
            case .close(let done): self.close(done)
            }
        }
        self.sendWaitingCommands(at: now)
    }

    // MARK: Commands

    private func submit(_ command: PendingCommand, at now: NIODeadline) {
        if self.isClosing { return command.fail(Self.closed) }
        if let error = self.breaker.error { return command.fail(error) }
        if command.deadline <= now { return command.fail(Self.tooLate) }
        if self.waiting.isEmpty, let connection = self.pickConnection(for: command, at: now) {
            return connection.send(command, at: now)
        }
        guard self.waiting.count < RedisLimits.maximumCommandsWaiting,
            self.waiting.isEmpty || self.bytesWaiting + command.bytes <= RedisLimits.maximumBytesWaiting
        else { return command.fail(RedisError(.overloaded, "too many commands wait for the server")) }
        self.waiting.append(command)
        self.bytesWaiting += command.bytes
        self.earliestWaiting = min(self.earliestWaiting, command.deadline)
    }

    /// Sends as many of the waiting commands as there are places for, and writes what was sent.
    func sendWaitingCommands(at now: NIODeadline) {
        while let command = self.waiting.first, let connection = self.pickConnection(for: command, at: now) {
            self.waiting.removeFirst()
            self.bytesWaiting -= command.bytes
            connection.send(command, at: now)
        }
        for connection in self.connections { connection.flush() }
        self.setTimer()
    }

    /// The one with the fewest commands in flight; makes another if none is idle.
    private func pickConnection(for command: PendingCommand, at now: NIODeadline) -> RedisConnection? {
        var best: RedisConnection?
        var hasReady = false
        for connection in self.connections {
            hasReady = hasReady || connection.isReady
            guard connection.hasRoom(forBytes: command.bytes) else { continue }
            if let best, best.commandsInFlight <= connection.commandsInFlight { continue }
            best = connection
        }
        if let best, best.commandsInFlight == 0 { return best }
        // Before the first is ready there is only one: if it fails, so would the others.
        if self.connections.isEmpty
            || (hasReady && self.connections.count < self.maximumConnections && now >= self.noGrowthBefore)
        {
            self.connect(at: now)
        }
        return best
    }

    private func cancel(_ id: UInt64) {
        if let index = self.waiting.firstIndex(where: { $0.id == id }) {
            let command = self.waiting.remove(at: index)
            self.bytesWaiting -= command.bytes
            return command.fail(RedisError(.cancelled, "the task that waits was cancelled"))
        }
        for connection in self.connections where connection.cancel(id) { return }
    }

    private func abandon() {
        self.isAbandoning = true
        self.failWaiting(RedisError(.unreachable, "the server was replaced by another"))
        // One that is being made has no commands, and finds out by itself where the server is now.
        for connection in self.connections where !connection.isBeingMade {
            connection.end(RedisError(.connectionLost, "the server was replaced by another"))
        }
        self.isAbandoning = false
    }

    private func failWaiting(_ error: RedisError) {
        let commands = self.waiting
        self.waiting = []
        self.bytesWaiting = 0
        for command in commands { command.fail(error) }
    }

    private func close(_ done: CheckedContinuation<Void, Never>?) {
        self.isClosing = true
        if let done { self.closeWaiters.append(done) }
        self.failWaiting(Self.closed)
        for connection in self.connections { connection.drain() }
        self.finishClosing()
    }

    private func finishClosing() {
        guard self.isClosing, self.connections.isEmpty else { return }
        self.timer?.task.cancel()
        self.timer = nil
        for waiter in self.closeWaiters { waiter.resume() }
        self.closeWaiters = []
    }

    // MARK: Connections

    private func connect(at now: NIODeadline) {
        let connection = RedisConnection(
            self, self.configuration, handshakeDeadline: now + self.connectTimeout, now: now)
        self.connections.append(connection)
        self.attempts += 1
        let security = self.configuration.security
        let host = self.address.host
        let bootstrap = ClientBootstrap(group: self.eventLoop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .connectTimeout(self.connectTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try security?(channel, host) }
            }
        // All names of the process are looked up one after the other, which an IP address need not wait for.
        let connected =
            if let ipAddress = try? SocketAddress(ipAddress: host, port: self.address.port) {
                bootstrap.connect(to: ipAddress)
            } else {
                bootstrap.connect(host: host, port: self.address.port)
            }
        connected.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                // Added only now: with several addresses there are several channels until one is connected.
                do {
                    try channel.pipeline.syncOperations.addHandler(connection)
                } catch {
                    channel.close(promise: nil)
                    connection.end(RedisError(.unreachable, "closed at once"))
                }
                self.attemptEnded()
            case .failure(let error):
                // In a moment: it may have failed at once, in the middle of what asked for the connection.
                self.eventLoop.assumeIsolated().execute {
                    connection.end(RedisError(connecting: error))
                    self.attemptEnded()
                }
            }
        }
    }

    private func attemptEnded() {
        self.attempts -= 1
        self.setTimer()
    }

    func connectionReady(_ connection: RedisConnection) {
        if self.breaker.succeeded() {
            self.status.isAvailable.store(true, ordering: .relaxed)
            self.logger.info(
                "Redis server is reachable again", metadata: ["redis.address": "\(self.address)"])
        }
    }

    func connectionEnded(_ connection: RedisConnection, _ end: RedisConnection.End) {
        let now = NIODeadline.now()
        self.connections.removeAll { $0 === connection }
        if self.isClosing { return self.finishClosing() }
        if self.isAbandoning { return self.setTimer() }
        if let readySince = end.readySince {
            // While the server is being tried again only those attempts count.
            if self.breaker.isOpen { return self.setTimer() }
            let isHeard = self.connections.contains { $0.isReady && now - $0.lastHeard < RedisLimits.silence }
            if end.isSilent, !isHeard {
                self.serverFailed(end.error, at: now)
            } else if self.connections.isEmpty, !self.waiting.isEmpty || now - readySince >= RedisLimits.stableTime {
                self.connect(at: now)
            }
        } else if !self.breaker.isOpen, self.connections.contains(where: { $0.isReady }) {
            self.noGrowthBefore = now + RedisLimits.growthPause
        } else {
            self.serverFailed(end.error, at: now)
        }
        self.setTimer()
    }

    /// No connection can be had: everything fails at once until one can.
    private func serverFailed(_ cause: RedisError, at now: NIODeadline) {
        var error = cause
        if cause.code != .refused, cause.code != .misconfigured {
            error = RedisError(.unreachable, "there is no connection to \(self.address): \(cause.message)")
        }
        let hasOpened = self.breaker.failed(error, at: now, jitter: .random(in: 0...1))
        // First: whoever is told of the failure finds it so.
        if hasOpened { self.status.isAvailable.store(false, ordering: .relaxed) }
        self.failWaiting(error)
        guard hasOpened else { return }
        // Nothing was heard of these either, and who comes next must not be the one to find out.
        for connection in self.connections where connection.isReady && connection.commandsInFlight == 0 {
            connection.end(error)
        }
        self.logger.info(
            "Redis server is unreachable",
            metadata: [
                "redis.address": "\(self.address)", "error.code": "\(error.code.rawValue)",
                "error.message": "\(cause.message)",
            ])
    }

    // MARK: Time

    /// One timer for everything: the first deadline of all commands, of the connections and of the breaker.
    private func setTimer() {
        var next = self.nextProbe ?? .distantFuture
        for connection in self.connections { next = min(next, connection.nextDeadline ?? .distantFuture) }
        if !self.waiting.isEmpty { next = min(next, self.earliestWaiting) }
        guard next < .distantFuture, !self.isClosing || !self.connections.isEmpty else { return }
        if let timer {
            guard next < timer.at else { return }
            timer.task.cancel()
        }
        let task = self.eventLoop.assumeIsolated().scheduleTask(deadline: next) { [weak self] in
            guard let self else { return }
            self.timer = nil
            self.timerFired()
        }
        self.timer = (task, next)
    }

    /// Not before the last attempt is over, or attempts would pile up behind a name that takes long to look up.
    private var nextProbe: NIODeadline? { self.attempts == 0 ? self.breaker.nextProbe : nil }

    private func timerFired() {
        let now = NIODeadline.now()
        for connection in self.connections { connection.timerFired(at: now) }
        self.failLate(at: now)
        if !self.isClosing, self.nextProbe != nil, self.breaker.takeProbe(at: now) { self.connect(at: now) }
        self.sendWaitingCommands(at: now)
    }

    private func failLate(at now: NIODeadline) {
        guard now >= self.earliestWaiting else { return }
        let late = self.waiting.filter { $0.deadline <= now }
        self.waiting.removeAll { $0.deadline <= now }
        self.earliestWaiting = self.waiting.reduce(.distantFuture) { min($0, $1.deadline) }
        for command in late {
            self.bytesWaiting -= command.bytes
            command.fail(Self.tooLate)
        }
    }

    private static let closed = RedisError(.closed, "the client was closed")
    private static let tooLate = RedisError(.unreachable, "there was no connection in time")
}
