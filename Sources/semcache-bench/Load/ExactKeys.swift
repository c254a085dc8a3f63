// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire

/// Entries with as many keys as asked for, and Lookups that find them in the server's memory.
struct ExactKeys {
    /// How many.
    let count: Int
    let responseBytes: Int
    /// Requests that a ring lends at a time at most.
    let longest: Int
    /// Calls in flight while entries are stored.
    let window: Int
    private static let cache = "bench"

    var response: [UInt8] { (0..<self.responseBytes).map { UInt8(ascii: "a") + UInt8($0 % 26) } }

    /// The order in which keys are asked for: the same one for all, and none that a prefetcher could follow.
    var order: [Int] {
        var generator = SeededGenerator(seed: 1)
        return (0..<self.count).shuffled(using: &generator)
    }

    func prompt(_ key: Int) throws -> Prompt {
        .text(try CanonicalPrompt("how long does a transfer to account number \(100_000 + key) take?"))
    }

    func lookup(_ key: Int) throws -> ServiceRequest {
        .lookup(LookupRequest(cache: Self.cache, prompt: try self.prompt(key), mode: .exact))
    }

    /// Connects, stores the entries, and brings them into the server's memory.
    func fill(_ target: Target, credential: Credential = .none) throws -> WireSession {
        let session = try WireSession(target, credential: credential)
        try session.callAll(self.count, window: self.window) { key in
            .store(StoreRequest(cache: Self.cache, prompt: try self.prompt(key), response: self.response))
        } reply: { _, _ in
        }
        try session.callAll(self.count, window: 1, request: self.lookup) { _, response in
            guard case .lookup(.hit) = response else { throw BenchError("an entry just stored is not found") }
        }
        return session
    }

    /// Lookups on the connections of sessions that have nothing in flight.
    func measurement(_ sessions: [WireSession], of process: ServerProcess?) throws -> Measurement {
        let encoder = ClientMessageEncoder()
        let frames = try self.order.map { WireSession.frame(UInt64($0 + 1), try self.lookup($0), encoder: encoder) }
        let loop = ClosedLoop(
            sockets: sessions.map(\.socket), requests: RequestRing(frames, longest: self.longest),
            format: HitReplies(response: self.response))
        try loop.verifyAll()
        return { depth, seconds in try loop.run(depth: depth, seconds: seconds, server: process) }
    }
}

extension Load {
    var exactKeys: ExactKeys {
        ExactKeys(
            count: self.keys, responseBytes: self.responseBytes, longest: self.depths.values.max() ?? 1,
            window: self.window)
    }
}
