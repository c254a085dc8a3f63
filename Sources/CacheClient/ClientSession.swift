// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore
import NIOPosix
import OpenSSLTLS

/// Carries out what the state machines decide. Confined to its event loop.
final class ClientSession {
    typealias Call = PendingCall<CallContext>

    private let configuration: ClientConfiguration
    /// `nil` for plain text.
    private let tls: RenewedTLSContext?
    private let eventLoop: any EventLoop
    private var machine: StateMachine<CallContext>
    /// The one that takes new calls, or will once it is made.
    private var current: ClientConnection?
    /// Those that finish what they have.
    private var draining: [ClientConnection] = []
    private var isClosing = false
    private var closeWaiters: [CheckedContinuation<Void, Never>] = []
    private var timer: (task: Scheduled<Void>, at: NIODeadline)?

    init(_ configuration: ClientConfiguration, _ tls: RenewedTLSContext?, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.tls = tls
        self.eventLoop = eventLoop
        self.machine = StateMachine(
            StateMachine.Policy(
                backoff: Backoff(minimum: configuration.minimumBackoff, maximum: configuration.maximumBackoff),
                maximumWaitingCalls: configuration.maximumWaitingCalls,
                retriesLostCalls: configuration.retriesLostCalls,
                waitsForConnection: configuration.waitsForConnection,
                handoverPatience: TimeAmount(bounded: configuration.handoverPatience)))
    }

    func process(_ items: [CallInbox.Item]) {
        let now = NIODeadline.now()
        for item in items {
            switch item {
            case .call(let call): self.submit(call, at: now)
            case .cancel(let id): self.cancel(id)
            case .close(let done): self.close(done)
            }
        }
        self.sendWaitingCalls(at: now)
    }

    private func submit(_ call: Call, at now: NIODeadline) {
        switch self.machine.submit(call, at: now) {
        case .wait(thenConnect: true): self.connect(at: now)
        case .wait(thenConnect: false): break
        case .fail(let call, let error): call.finish(.failure(error))
        }
    }

    private func cancel(_ id: UInt64) {
        if let call = self.machine.cancel(id) { return call.finish(.failure(.cancelled)) }
        // Ids are unique among the connections of a client.
        self.current?.cancel(id)
        for connection in self.draining { connection.cancel(id) }
    }

    private func close(_ done: CheckedContinuation<Void, Never>?) {
        self.isClosing = true
        if let done { self.closeWaiters.append(done) }
        self.fail(self.machine.close())
        if let connection = self.current {
            self.current = nil
            self.draining.append(connection)
        }
        for connection in self.draining { connection.drain() }
        self.finishClosing()
    }

    private func finishClosing() {
        guard self.isClosing, self.current == nil, self.draining.isEmpty else { return }
        self.timer?.task.cancel()
        self.timer = nil
        for waiter in self.closeWaiters { waiter.resume() }
        self.closeWaiters = []
    }

    private func fail(_ failures: [StateMachine<CallContext>.Failure]) {
        for failure in failures { failure.call.finish(.failure(failure.error)) }
    }

    // MARK: Connections

    private func connect(at now: NIODeadline) {
        let timeout = TimeAmount(bounded: self.configuration.connectTimeout)
        let connection = ClientConnection(
            self, self.configuration, isEncrypted: self.tls != nil, handshakeDeadline: now + timeout)
        self.current = connection
        let address = self.configuration.address
        ClientBootstrap(group: self.eventLoop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .connectTimeout(timeout)
            .connect(host: address.host, port: address.port)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    // Added only now: with several addresses there are several channels until one is connected.
                    do {
                        try channel.pipeline.syncOperations.addHandler(connection)
                        try self.secure(channel)
                    } catch {
                        channel.close(promise: nil)
                        connection.end(.lost(.unreachable(address, "closed at once")))
                    }
                case .failure(let error):
                    connection.end(.lost(.unreachable(address, connectFailureReason(error))))
                }
            }
    }

    /// Puts TLS between the channel and the connection, which sees from the beginning what becomes of it.
    private func secure(_ channel: any Channel) throws {
        guard let tls else { return }
        let handler = TLSHandler(tls.current(), peerName: self.configuration.address.host)
        try channel.pipeline.syncOperations.addHandler(handler, position: .first)
    }

    func connectionReady(_ connection: ClientConnection) {
        guard connection === self.current else { return }
        self.machine.connectionReady()
        self.sendWaitingCalls(at: .now())
    }

    func replyReceived() { self.machine.replyReceived() }

    func connectionDraining(_ connection: ClientConnection) {
        guard connection === self.current else { return }
        self.current = nil
        self.draining.append(connection)
        let now = NIODeadline.now()
        if self.machine.connectionDraining(at: now, jitter: .random(in: 0...1)) { self.connect(at: now) }
        self.setTimer()
    }

    func callGivenBack(_ call: Call, _ error: CacheClientError) {
        let now = NIODeadline.now()
        let action = self.machine.callGivenBack(call, error, at: now)
        self.fail(action.failed)
        if action.connect { self.connect(at: now) }
        self.setTimer()
    }

    func connectionEnded(_ connection: ClientConnection, _ fault: ConnectionFault, calls: [Call]) {
        let now = NIODeadline.now()
        let action: StateMachine<CallContext>.EndAction
        if connection === self.current {
            self.current = nil
            action = self.machine.connectionEnded(
                fault, calls: calls, at: now, jitter: .random(in: 0...1))
        } else {
            self.draining.removeAll { $0 === connection }
            action = self.machine.drainingConnectionEnded(fault, calls: calls, at: now)
        }
        self.fail(action.failed)
        if action.connect { self.connect(at: now) }
        self.setTimer()
        self.finishClosing()
    }

    /// Sends as many of the waiting calls as there are places for, in one write.
    func sendWaitingCalls(at now: NIODeadline) {
        if let connection = self.current {
            sending: while connection.hasRoom {
                switch self.machine.takeNext(at: now) {
                case .send(let call): connection.send(call, at: now)
                case .fail(let call, let error): call.finish(.failure(error))
                case nil: break sending
                }
            }
            connection.flush()
        }
        self.setTimer()
    }

    // MARK: Time

    /// One timer for everything: the first deadline of all waiting calls, calls in flight and connections.
    private func setTimer() {
        var next = self.machine.nextDeadline
        for connection in [self.current].compactMap({ $0 }) + self.draining {
            if let deadline = connection.nextDeadline { next = next.map { min($0, deadline) } ?? deadline }
        }
        guard let next else { return }
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

    private func timerFired() {
        let now = NIODeadline.now()
        self.current?.timerFired(at: now)
        for connection in self.draining { connection.timerFired(at: now) }
        let action = self.machine.timerFired(at: now)
        self.fail(action.expired)
        if action.connect { self.connect(at: now) }
        self.sendWaitingCalls(at: now)
    }
}
