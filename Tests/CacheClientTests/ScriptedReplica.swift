// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Synchronization

@testable import CacheClient

/// One of several servers: it takes all connections, and does with calls what it was told last.
final class ScriptedReplica: Sendable {
    enum Mode: Sendable {
        /// Answers with its name.
        case answers
        /// Leaves calls to the test.
        case holds
        case fails(CacheError)
        /// Takes connections and says nothing.
        case isSilent
    }

    struct Held: Sendable {
        let replica: ScriptedReplica
        let peer: ScriptedPeer
        let call: Call

        func answer() { self.peer.answer(self.call, version: self.replica.name) }
    }

    let name: String
    let address: ServerAddress
    private let server: ScriptedServer
    private let mode: Mutex<Mode>
    private let answered = Atomic<Int>(0)
    private let heldCalls: AsyncStream<Held>.Continuation
    private let cancelledCalls = AsyncStream<UInt64>.makeStream()

    var answeredCalls: Int { self.answered.load(ordering: .relaxed) }

    private init(
        _ server: ScriptedServer, _ name: String, _ mode: Mode, _ heldCalls: AsyncStream<Held>.Continuation
    ) {
        self.server = server
        self.name = name
        self.address = server.address
        self.mode = Mutex(mode)
        self.heldCalls = heldCalls
    }

    func set(_ mode: Mode) { self.mode.withLock { $0 = mode } }

    /// Waits until the client gives up this call.
    func isTold(toStop id: UInt64) async -> Bool { await self.cancelledCalls.stream.contains(id) }

    private func run() async {
        await withDiscardingTaskGroup { group in
            for await peer in self.server.peers { group.addTask { await self.serve(peer) } }
        }
    }

    private func serve(_ peer: ScriptedPeer) async {
        while let message = await peer.next() {
            switch (message, self.mode.withLock { $0 }) {
            case (_, .isSilent): break
            case (.hello, _):
                var welcome = Welcome(version: 1, serverVersion: self.name, embeddingDimensions: 4)
                welcome.maximumCallsInFlight = 1000
                peer.send(.welcome(welcome))
            case (.call(let call), .answers):
                self.answered.add(1, ordering: .relaxed)
                peer.answer(call, version: self.name)
            case (.call(let call), .fails(let error)):
                peer.send(.reply(Reply(id: call.id, result: .failure(error))))
            case (.call(let call), .holds): self.heldCalls.yield(Held(replica: self, peer: peer, call: call))
            case (.cancel(let id), _): self.cancelledCalls.continuation.yield(id)
            }
        }
    }

    /// Two of them.
    static func withTwo(
        _ first: Mode = .answers, _ second: Mode = .answers,
        _ body: @escaping @Sendable (ScriptedReplica, ScriptedReplica, ReplicaTest) async throws -> Void
    ) async throws {
        try await ScriptedServer.withServer { one in
            try await ScriptedServer.withServer { two in
                let (held, heldCalls) = AsyncStream.makeStream(of: Held.self)
                let replicas = [
                    ScriptedReplica(one, "one", first, heldCalls), ScriptedReplica(two, "two", second, heldCalls),
                ]
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for replica in replicas { group.addTask { await replica.run() } }
                    try await body(replicas[0], replicas[1], ReplicaTest(replicas: replicas, held: held))
                    group.cancelAll()
                }
            }
        }
    }
}

/// What a test does with its replicas.
struct ReplicaTest: Sendable {
    let replicas: [ScriptedReplica]
    let held: AsyncStream<ScriptedReplica.Held>

    /// Nothing takes longer than it must.
    var configuration: ClientConfiguration {
        var configuration = ClientConfiguration(self.replicas.map { $0.address })
        configuration.timeout = .seconds(60)
        configuration.connectTimeout = .seconds(60)
        configuration.minimumBackoff = .milliseconds(1)
        configuration.maximumBackoff = .milliseconds(20)
        return configuration
    }

    func nextHeld() async throws -> ScriptedReplica.Held {
        var iterator = self.held.makeAsyncIterator()
        guard let held = await iterator.next() else { throw Unexpected("no call") }
        return held
    }

    /// The next call that both servers hold. One of before may still arrive at a busy server; the other has answered it.
    func nextHedged() async throws -> (first: ScriptedReplica.Held, second: ScriptedReplica.Held) {
        var seen: [UInt64: ScriptedReplica.Held] = [:]
        while true {
            let held = try await self.nextHeld()
            if let first = seen.updateValue(held, forKey: held.call.id) { return (first, held) }
        }
    }

    /// Calls until all of these have answered, so that there are connections to them.
    func call(_ client: CacheClient, until names: Set<String> = ["one", "two"]) async throws {
        var missing = names
        while !missing.isEmpty { missing.remove(try await client.ping().serverVersion) }
    }
}
