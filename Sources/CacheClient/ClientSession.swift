// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore
import NIOPosix
import OpenSSLTLS

/// Has the connection to one server, and carries out what the state machines decide. Confined to its event loop.
///
/// Of several servers each has a session of its own, whose calls belong to the ``BalancedSession``: it gets all that a
/// connection cannot finish, instead of the session's own machine.
final class ClientSession {
    typealias Call = PendingCall<CallContext>

    let address: ServerAddress
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
    private var closeWaiters: [() -> Void] = []
    private var timer: (task: Scheduled<Void>, at: NIODeadline)?
    /// Which server it is among several; `nil` if it is the only one.
    private var endpoint: Int?
    private weak var balanced: BalancedSession?

    init(
        _ configuration: ClientConfiguration, _ address: ServerAddress, _ tls: RenewedTLSContext?,
        eventLoop: any EventLoop
    ) {
        self.address = address
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

    /// From now on it is one of several.
    func join(_ balanced: BalancedSession, as endpoint: Int) {
        self.balanced = balanced
        self.endpoint = endpoint
    }

    func process(_ items: [CallInbox.Item]) {
        let now = NIODeadline.now()
        for item in items {
            switch item {
            case .call(let call): self.submit(call, at: now)
            case .cancel(let id): self.cancel(id)
            case .close(let done): self.close { done?.resume() }
            }
        }
        self.sendWaitingCalls(at: now)
    }

    /// Takes a call, which ``sendWaitingCalls(at:)`` sends.
    func submit(_ call: Call, at now: NIODeadline) {
        switch self.machine.submit(call, at: now) {
        case .wait(thenConnect: true): self.connect(at: now)
        case .wait(thenConnect: false): break
        case .fail(let call, let error): self.finish(call, .failure(error))
        }
    }

    func cancel(_ id: UInt64) {
        if let call = self.machine.cancel(id) { return self.finish(call, .failure(.cancelled)) }
        // Ids are unique among the connections of a client.
        self.current?.cancel(id)
        for connection in self.draining { connection.cancel(id) }
    }

    /// - Parameter done: Called when the last connection has ended.
    func close(_ done: @escaping () -> Void) {
        self.isClosing = true
        self.closeWaiters.append(done)
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
        let waiters = self.closeWaiters
        self.closeWaiters = []
        for waiter in waiters { waiter() }
    }

    private func fail(_ failures: [StateMachine<CallContext>.Failure]) {
        for failure in failures { self.finish(failure.call, .failure(failure.error)) }
    }

    /// Ends a call, or, of several servers, this one's part in it.
    func finish(_ call: Call, _ result: Result<ServiceResponse, CacheClientError>) {
        if let endpoint {
            self.balanced?.callEnded(call.id, result, at: endpoint)
        } else {
            call.finish(result)
        }
    }

    // MARK: Connections

    /// Makes a connection, though no call waits for it here, unless there is one, or it must not be made yet.
    func connectAhead(at now: NIODeadline) {
        guard self.machine.connectAhead(at: now) else { return }
        self.connect(at: now)
        self.setTimer()
    }

    private func connect(at now: NIODeadline) {
        let timeout = TimeAmount(bounded: self.configuration.connectTimeout)
        let connection = ClientConnection(
            self, self.configuration, isEncrypted: self.tls != nil, handshakeDeadline: now + timeout)
        self.current = connection
        let address = self.address
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
        let handler = TLSHandler(tls.current(), peerName: self.address.host)
        try channel.pipeline.syncOperations.addHandler(handler, position: .first)
    }

    func connectionReady(_ connection: ClientConnection) {
        guard connection === self.current else { return }
        self.machine.connectionReady()
        if let endpoint { self.balanced?.connectionReady(endpoint) }
        self.sendWaitingCalls(at: .now())
    }

    func replyReceived() { self.machine.replyReceived() }

    func connectionDraining(_ connection: ClientConnection) {
        guard connection === self.current else { return }
        self.current = nil
        self.draining.append(connection)
        let now = NIODeadline.now()
        let unsent = self.endpoint == nil ? [] : self.machine.releaseWaiting()
        if self.machine.connectionDraining(at: now, jitter: .random(in: 0...1)) { self.connect(at: now) }
        self.setTimer()
        if let endpoint {
            self.balanced?.connectionDraining(endpoint, retryAt: self.machine.retryAt, unsent: unsent)
        }
    }

    func callGivenBack(_ call: Call, _ error: CacheClientError) {
        if let endpoint {
            self.balanced?.callGivenBack(call.id, error, by: endpoint)
            return
        }
        let now = NIODeadline.now()
        let action = self.machine.callGivenBack(call, error, at: now)
        self.fail(action.failed)
        if action.connect { self.connect(at: now) }
        self.setTimer()
    }

    func connectionEnded(_ connection: ClientConnection, _ fault: ConnectionFault, calls: [Call]) {
        if let endpoint { return self.connectionEnded(connection, fault, calls: calls, of: endpoint) }
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

    /// The same where others can take the calls, which therefore do not wait for the next connection.
    private func connectionEnded(
        _ connection: ClientConnection, _ fault: ConnectionFault, calls: [Call], of endpoint: Int
    ) {
        let isCurrent = connection === self.current
        var unsent: [Call] = []
        if isCurrent {
            self.current = nil
            unsent = self.machine.releaseWaiting()
            _ = self.machine.connectionEnded(fault, calls: [], at: .now(), jitter: .random(in: 0...1))
        } else {
            self.draining.removeAll { $0 === connection }
        }
        self.setTimer()
        if isCurrent {
            self.balanced?.connectionEnded(
                endpoint, fault, retryAt: self.machine.retryAt, inFlight: calls, unsent: unsent)
        } else {
            self.balanced?.drainingConnectionEnded(endpoint, fault, inFlight: calls)
        }
        self.finishClosing()
    }

    /// Sends as many of the waiting calls as there are places for, in one write.
    func sendWaitingCalls(at now: NIODeadline) {
        if let connection = self.current {
            sending: while connection.hasRoom {
                switch self.machine.takeNext(at: now) {
                case .send(let call): connection.send(call, at: now)
                case .fail(let call, let error): self.finish(call, .failure(error))
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
