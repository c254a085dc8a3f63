// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport
import Testing

private let python = ProcessInfo.processInfo.environment["SEMCACHED_TEST_PYTHON"]

/// How a service goes that load balancers ask for its health.
@Suite(.timeLimit(.minutes(2))) struct DrainTests {
    // As long as this test needs, however slow the machine is.
    private static let endless = ["server.drain_delay=300s"]

    @Test func `while it drains it says that it is not ready, and serves new connections all the same`() async throws {
        let service = try await RunningService(settings: Self.endless)
        let before = try await service.get("/readyz")
        #expect(before.status == 200)
        #expect(try before.object["ready"] as? Bool == true)
        #expect(try await service.metrics()["semcache_ready", ["check": "serving"]] == 1)

        service.send(SIGTERM)
        var page = before
        while page.status == 200 { page = try await service.get("/readyz") }
        #expect(page.status == 503)
        let checks = try #require(try page.object["checks"] as? [[String: Any]])
        let unready = checks.filter { $0["ready"] as? Bool == false }
        #expect(unready.map { $0["name"] as? String } == ["serving"])
        #expect((unready.first?["reason"] as? String)?.contains("stop") == true)
        #expect(try await service.metrics()["semcache_ready", ["check": "serving"]] == 0)
        #expect(try await service.get("/healthz").status == 200)
        try await CacheClient.withClient(
            ClientConfiguration(ServerAddress(host: "127.0.0.1", port: service.port))
        ) { client in
            _ = try await client.lookup("Who wrote the Moonlight Sonata?")
        }
        #expect(try await service.get("/readyz").status == 503)
    }

    @Test func `when the delay is over it ends well, within the grace period`() async throws {
        let service = try await RunningService(settings: ["server.drain_delay=1s", "server.grace_period=10s"])
        // An open connection does not keep it.
        try await CacheClient.withClient(
            ClientConfiguration(ServerAddress(host: "127.0.0.1", port: service.port))
        ) { client in
            _ = try await client.ping()
            let start = ContinuousClock.now
            #expect(await service.stop(SIGTERM) == 0)
            let time = ContinuousClock.now - start
            #expect(time >= .seconds(1) && time < .seconds(11), "\(time)")
        }
    }

    @Test(.enabled(if: python != nil, "SEMCACHED_TEST_PYTHON is not set"))
    func `whoever watches its health over gRPC is told that it is about to stop`() async throws {
        let service = try await RunningService(settings: Self.endless)
        let watch = try HealthWatch(python: try #require(python), port: try await service.port(of: "grpc"))
        #expect(await watch.lines.next() == "SERVING")
        service.send(SIGTERM)
        #expect(await watch.lines.next() == "NOT_SERVING")
        #expect(try await service.get("/readyz").status == 503)
    }

    @Test(.enabled(if: python != nil, "SEMCACHED_TEST_PYTHON is not set"))
    func `whoever watches its health over gRPC learns that this is all when it stops`() async throws {
        let service = try await RunningService()
        let watch = try HealthWatch(python: try #require(python), port: try await service.port(of: "grpc"))
        #expect(await watch.lines.next() == "SERVING")
        #expect(await service.stop(SIGTERM) == 0)
        var last: String?
        while let line = await watch.lines.next() { last = line }
        #expect(last == "ended")
    }

    @Test func `a second signal does not keep it from finishing`() async throws {
        let service = try await RunningService(settings: ["server.drain_delay=1s"])
        for signal in [SIGTERM, SIGTERM, SIGHUP, SIGINT] { service.send(signal) }
        #expect(await service.exitStatus == 0)
    }
}

/// Python's stock gRPC client, watching a service's health: `watch_health.py`.
private final class HealthWatch {
    /// What it prints.
    let lines = Mailbox<String>()
    private let process = Process()

    init(python: String, port: Int) throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("watch_health.py")
        let output = Pipe()
        self.process.executableURL = URL(fileURLWithPath: python)
        self.process.arguments = [script.path, "127.0.0.1:\(port)"]
        self.process.standardOutput = output
        try self.process.run()
        let (handle, lines) = (output.fileHandleForReading, self.lines)
        // A thread of its own: reading blocks.
        Thread.detachNewThread {
            var rest = Data()
            while case let data = handle.availableData, !data.isEmpty {
                rest += data
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    lines.append(String(decoding: rest[..<end], as: UTF8.self))
                    rest = Data(rest[(end + 1)...])
                }
            }
            lines.close()
        }
    }

    deinit {
        if self.process.isRunning { self.process.terminate() }
    }
}
