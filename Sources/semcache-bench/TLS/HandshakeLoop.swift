// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import OpenSSLTLS
import Synchronization

/// Makes connections that end as soon as both sides are through with the handshake, some at a time.
///
/// A client that says that it sends nothing more, and waits for the other's end, knows that the server has got its last
/// message and has given out its ticket: the work of a handshake is done on both sides before the next one begins.
final class HandshakeLoop: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let executor: LoopExecutor
    private let port: Int
    /// One for each connection at a time: a ticket is used once, by the next connection in its place.
    private let contexts: [TLSContext]
    private let isResumed: Bool

    /// - Parameters:
    ///   - contexts: As many as there are handshakes at a time at most.
    ///   - isResumed: Whether handshakes go on from the one before.
    init(group: MultiThreadedEventLoopGroup, port: Int, contexts: [TLSContext], isResumed: Bool) {
        self.group = group
        self.executor = LoopExecutor(group.any())
        self.port = port
        self.contexts = contexts
        self.isResumed = isResumed
    }

    /// Runs for a time.
    ///
    /// - Throws: What says why a handshake failed; ``BenchError`` if one was resumed that must not be, or not that must.
    func run(parallel: Int, seconds: Double, server: ServerProcess) throws -> Sample {
        let cpuBefore = server.cpuNanoseconds
        let start = Machine.now
        let end = start + UInt64(seconds * 1e9)
        let times = try self.executor.wait {
            try await withThrowingTaskGroup(of: [UInt64].self) { group in
                for place in 0..<parallel {
                    group.addTask { try await self.handshakes(in: place, until: end) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
        }
        let elapsed = Double(Machine.now - start) / 1e9
        var latencies = Latencies()
        for time in times { latencies.record(time) }
        let cpu = Double(server.cpuNanoseconds - cpuBefore)
        return Sample(
            rate: Double(times.count) / elapsed, p50: latencies.p50, p99: latencies.p99,
            serverTime: cpu / Double(times.count))
    }

    /// Makes one after the other.
    ///
    /// - Returns: What each took until it was complete, nanoseconds.
    private func handshakes(in place: Int, until end: UInt64) async throws -> [UInt64] {
        var times: [UInt64] = []
        while Machine.now < end || times.isEmpty { times.append(try await self.handshake(in: place)) }
        return times
    }

    /// Makes the first one in each place, which has nothing to go on from.
    func prepare() throws {
        try self.executor.wait {
            for place in self.contexts.indices { _ = try await self.connect(in: place) }
        }
    }

    private func handshake(in place: Int) async throws -> UInt64 {
        let outcome = try await self.connect(in: place)
        guard outcome.isResumed == self.isResumed else {
            throw BenchError(self.isResumed ? "a handshake was not resumed" : "a handshake was resumed")
        }
        return outcome.time
    }

    private func connect(in place: Int) async throws -> HandshakeEnd.Outcome {
        let context = self.contexts[place]
        // Without a name nothing is remembered.
        let name = self.isResumed ? "localhost" : nil
        let outcome = HandshakeEnd.Box()
        let begin = Machine.now
        let channel = try await ClientBootstrap(group: self.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handlers: [any ChannelHandler] = [
                        TLSHandler(context, peerName: name), HandshakeEnd(outcome, begin: begin),
                    ]
                    try channel.pipeline.syncOperations.addHandlers(handlers)
                }
            }
            .connect(host: "127.0.0.1", port: self.port).get()
        try await channel.closeFuture.get()
        return try outcome.get()
    }
}

/// Ends the connection once the handshake is done, and says how it went.
private final class HandshakeEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    struct Outcome {
        /// From the beginning of the connection until the handshake was done, nanoseconds.
        let time: UInt64
        let isResumed: Bool
    }

    final class Box: Sendable {
        private let result = Mutex<Result<Outcome, any Error>?>(nil)

        /// The first one counts, or that something went wrong after it.
        func set(_ result: Result<Outcome, any Error>) { self.result.withLock { $0 = result } }

        func get() throws -> Outcome {
            guard let result = self.result.withLock({ $0 }) else {
                throw BenchError("the server broke off a handshake")
            }
            return try result.get()
        }
    }

    private let outcome: Box
    private let begin: UInt64

    init(_ outcome: Box, begin: UInt64) {
        self.outcome = outcome
        self.begin = begin
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let handshake = event as? TLSHandshakeCompleted else { return }
        self.outcome.set(.success(Outcome(time: Machine.now - self.begin, isResumed: handshake.isResumed)))
        context.close(mode: .output, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.outcome.set(.failure(error))
        context.close(promise: nil)
    }
}
