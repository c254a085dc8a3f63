// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import Synchronization

/// Counts who answered the calls of a load, and which failed.
final class Tally: Sendable {
    private struct State {
        var served: [String: Int] = [:]
        var failures: [String] = []
        var isHopeless: Bool { self.failures.count == Tally.tooMany }
        var waiters: [(name: String, count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private static let tooMany = 20
    private let state = Mutex(State())

    var served: [String: Int] { self.state.withLock { $0.served } }

    /// The first twenty of them, in words.
    var failures: [String] { self.state.withLock { $0.failures } }

    func add(servedBy name: String) {
        let ready = self.state.withLock { state in
            let count = state.served[name, default: 0] + 1
            state.served[name] = count
            let ready = state.waiters.filter { $0.name == name && $0.count <= count }
            state.waiters.removeAll { $0.name == name && $0.count <= count }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    func add(failure: String) {
        let ready = self.state.withLock { state in
            if state.failures.count < Self.tooMany { state.failures.append(failure) }
            defer { if state.isHopeless { state.waiters = [] } }
            return state.isHopeless ? state.waiters : []
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// Waits for answers of a service, besides those that there are; or until too many calls have failed, or the test has
    /// taken too long.
    func wait(for count: Int, from name: String) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isHopeless = self.state.withLock { state in
                    if !state.isHopeless {
                        state.waiters.append((name, state.served[name, default: 0] + count, continuation))
                    }
                    return state.isHopeless
                }
                if isHopeless { continuation.resume() }
            }
        } onCancel: {
            for _ in 0..<Self.tooMany { self.add(failure: "no more answers came: \(self.served)") }
        }
    }
}

/// Something that makes calls, one after the other on each of its connections, until it is stopped.
protocol Load {
    /// Waits until the calls that are under way are done.
    func stop() async
}

/// Calls by ``CacheClient``: one client for each connection.
struct NativeLoad: Load {
    private let stopped: Stop
    private let work: Task<Void, Never>

    private final class Stop: Sendable {
        let flag = Atomic(false)
    }

    init(_ configuration: ClientConfiguration, connections: Int, counting tally: Tally) {
        let stopped = Stop()
        self.stopped = stopped
        // Awaited by `stop`.
        self.work = Task {
            await withDiscardingTaskGroup { group in
                for _ in 0..<connections {
                    group.addTask { await Self.call(CacheClient(configuration), tally, until: stopped) }
                }
            }
        }
    }

    private static func call(_ client: CacheClient, _ tally: Tally, until stopped: Stop) async {
        while !stopped.flag.load(ordering: .relaxed) {
            do {
                let answer = try await client.lookup(Replica.question)
                tally.add(servedBy: answer.hit?.best.text ?? "nobody")
            } catch {
                tally.add(failure: "\(error)")
            }
        }
        await client.close()
    }

    func stop() async {
        self.stopped.flag.store(true, ordering: .relaxed)
        await self.work.value
    }
}

/// Calls by Python's stock gRPC client, in a process of its own: `grpc_load.py`.
final class GRPCLoad: Load {
    private let process = Process()
    private let input = Pipe()
    /// Finishes when the program has said all.
    private let end: AsyncStream<Never>

    init(port: Int, connections: Int, counting tally: Tally) throws {
        let python = try Programs.python()
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("grpc_load.py")
        let output = Pipe()
        self.process.executableURL = URL(fileURLWithPath: python)
        self.process.arguments = [script.path, "127.0.0.1:\(port)", "\(connections)", Replica.question]
        self.process.standardInput = self.input
        self.process.standardOutput = output
        try self.process.run()
        let handle = output.fileHandleForReading
        let (stream, end) = AsyncStream<Never>.makeStream()
        self.end = stream
        // A thread of its own: reading blocks.
        Thread.detachNewThread {
            Self.read(handle, tally)
            end.finish()
        }
    }

    deinit {
        if self.process.isRunning { self.process.terminate() }
    }

    /// Reads lines, each about one call, to the end.
    private static func read(_ handle: FileHandle, _ tally: Tally) {
        var rest = Data()
        while case let data = handle.availableData, !data.isEmpty {
            rest += data
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: rest[..<end], as: UTF8.self)
                rest = Data(rest[(end + 1)...])
                if line.hasPrefix("served by ") {
                    tally.add(servedBy: String(line.dropFirst("served by ".count)))
                } else {
                    tally.add(failure: line)
                }
            }
        }
    }

    func stop() async {
        try? self.input.fileHandleForWriting.close()
        for await _ in self.end {}
    }
}
