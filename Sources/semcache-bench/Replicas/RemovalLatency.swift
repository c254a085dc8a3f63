// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Foundation

/// How long an Invalidate takes until no service answers the entry.
struct RemovalLatency {
    let options: Replicas
    private static let cache = "bench-replicas"
    /// Removals made while a service stands still: the first waits until what it was granted has run out, the others
    /// should not.
    private static let removalsWhilePaused = 20
    /// Lookups of an entry at a service until its memory must have it.
    private static let patience = 20

    init(options: Replicas) { self.options = options }

    /// What was measured with so many services.
    private struct Times {
        var healthy = Latencies()
        /// The first with one of them standing still.
        var first = Latencies()
        var later = Latencies()
        /// Share of the entries that were in the memory of a service before they were removed.
        var remembered = 0
        var asked = 0
    }

    func run() throws {
        var table = Table(
            """
            Invalidate of one entry by its prompt, until its acknowledgement: after it, the entry was looked up at every \
            service and none answered it. Services on core(s) \(self.options.setup.serverCores), client on core \
            \(self.options.setup.clientCore), \(self.options.removals) removals by the services in turn; \
            \(self.options.pauses) times one stood still, with 1 + \(Self.removalsWhilePaused) removals meanwhile
            """,
            columns: ["services, state", "count", "p50 ms", "p99 ms", "max ms", "in memory before"])
        for count in self.options.replicas.values {
            let times = try self.measure(count)
            let share = (100 * Double(times.remembered) / Double(max(times.asked, 1))).text(0) + " %"
            let rows = [
                ("all healthy", times.healthy), ("one paused, the first", times.first),
                ("one paused, those after it", times.later),
            ]
            for (state, latencies) in rows where latencies.count > 0 {
                table.add(
                    "\(count), \(state)", "\(latencies.count)", Self.milliseconds(latencies.p50),
                    Self.milliseconds(latencies.p99), Self.milliseconds(latencies.maximum), share)
            }
        }
        try table.print(asJSON: self.options.common.json)
    }

    private static func milliseconds(_ nanoseconds: Double) -> String { (nanoseconds / 1e6).text(2) }

    private func measure(_ count: Int) throws -> Times {
        let cores = [String](repeating: self.options.setup.serverCores, count: count)
        let servers = try self.options.start(cores: cores)
        defer { for server in servers { server.send(SIGCONT) } }
        let sessions = try servers.map { try WireSession(Target($0, tls: nil), bufferBytes: 1 << 20) }
        var times = Times()
        for number in 0..<self.options.removals {
            let prompt = try self.prepare("removal \(number)", sessions, &times)
            times.healthy.record(try self.remove(prompt, by: sessions[number % count]))
            try self.checkGone(prompt, sessions)
        }
        guard count > 1 else { return times }
        for round in 0..<self.options.pauses {
            let prompts = try (0...Self.removalsWhilePaused).map {
                try self.prepare("pause \(round) removal \($0)", sessions, &times)
            }
            servers[count - 1].send(SIGSTOP)
            for (number, prompt) in prompts.enumerated() {
                let time = try self.remove(prompt, by: sessions[number % (count - 1)])
                if number == 0 { times.first.record(time) } else { times.later.record(time) }
            }
            servers[count - 1].send(SIGCONT)
            for prompt in prompts { try self.checkGone(prompt, sessions) }
        }
        return times
    }

    /// Stores an entry and brings it into the memory of each service, if they have one.
    private func prepare(_ text: String, _ sessions: [WireSession], _ times: inout Times) throws -> Prompt {
        let prompt = Prompt.text(try CanonicalPrompt("what is the answer to \(text)?"))
        _ = try sessions[0].call(
            .store(StoreRequest(cache: Self.cache, prompt: prompt, response: Array(text.utf8))))
        for session in sessions {
            times.asked += 1
            for _ in 0..<Self.patience {
                guard case .lookup(.hit(let hit)) = try session.call(self.lookup(prompt)) else {
                    throw BenchError("an entry just stored is not found")
                }
                guard hit.tier == .l1 else { continue }
                times.remembered += 1
                break
            }
        }
        return prompt
    }

    private func lookup(_ prompt: Prompt) -> ServiceRequest {
        .lookup(LookupRequest(cache: Self.cache, prompt: prompt, mode: .exact))
    }

    /// - Returns: Nanoseconds.
    private func remove(_ prompt: Prompt, by session: WireSession) throws -> UInt64 {
        let start = Machine.now
        let answer = try session.call(
            .invalidate(InvalidateRequest(cache: Self.cache, selector: .exactPrompt(prompt, vary: []))))
        let time = Machine.now - start
        guard case .invalidate(let outcome) = answer, outcome.count == 1 else {
            throw BenchError("an entry was there and was not removed")
        }
        return time
    }

    private func checkGone(_ prompt: Prompt, _ sessions: [WireSession]) throws {
        for session in sessions {
            guard case .lookup(.miss) = try session.call(self.lookup(prompt)) else {
                throw BenchError("a service answers what was removed")
            }
        }
    }
}
