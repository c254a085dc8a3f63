// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The servers that other tests rely on.
@Suite struct RedisServersTests {
    @Test(arguments: [(RedisVersion.seven, "7."), (.eight, "8.")])
    func `a server is of the version that was asked for`(version: RedisVersion, prefix: String)
        async throws
    {
        let server = try await RedisServer.start(version)
        let info = try await server.command("INFO", "server")
        #expect(info.line("redis_version")?.hasPrefix(prefix) == true)
    }

    @Test func `Redis 8 has vector sets`() async throws {
        let server = try await RedisServer.start()
        try await server.command("VADD", "k", "VALUES", "2", "1", "0", "a")
        #expect(try await server.command("VCARD", "k") == .integer(1))
    }

    @Test func `a server with a password is asked with it`() async throws {
        let server = try await RedisServer.start(password: "secret")
        #expect(try await server.command("PING") == .text("PONG"))
    }

    @Test func `what a server keeps on disk outlives kill and restart on the same port`() async throws {
        let server = try await RedisServer.start(options: [
            "--appendonly", "yes", "--appendfsync", "always",
        ])
        try await server.command("SET", "k", "v")
        try await server.kill()
        #expect(!server.isRunning)
        await #expect(throws: RedisTrouble.self) { try await server.command("PING") }
        try await server.restart()
        #expect(try await server.command("GET", "k") == .text("v"))
        try await server.stop()
        #expect(!server.isRunning)
    }

    @Test func `a paused server answers when it is resumed`() async throws {
        let server = try await RedisServer.start()
        server.pause()
        async let answer = server.command("PING")
        server.resume()
        let text = try await answer
        #expect(text == .text("PONG"))
    }

    @Test func `a server is gone with the last reference, and its folder with it`() async throws {
        var server: RedisServer? = try await RedisServer.start()
        let (folder, pid) = (
            server!.folder,
            try await server!.command("INFO", "server").line("process_id").flatMap { Int32($0) }
        )
        #expect(kill(try #require(pid), 0) == 0)
        server = nil
        #expect(!FileManager.default.fileExists(atPath: folder.path))
        #expect(kill(try #require(pid), 0) == -1)
    }

    @Test func `a slot moves from node to node of a cluster`() async throws {
        let cluster = try await RedisCluster.start()
        let slot = try await cluster.slot(of: "{a}")
        let source = try await cluster.owner(ofSlot: slot)
        let target = (source + 1) % 3
        for index in 0..<150 {
            try await cluster.nodes[source].command("SET", "{a}\(index)", "\(index)")
        }
        try await cluster.migrate(slot: slot, to: target)
        #expect(try await cluster.owner(ofSlot: slot) == target)
        #expect(try await cluster.nodes[target].command("GET", "{a}149") == .text("149"))
        await #expect { try await cluster.nodes[source].command("GET", "{a}1") } throws: {
            "\($0)".contains("MOVED")
        }
        try await cluster.waitUntilWell()
    }

    @Test(arguments: [nil, "secret"])
    func `sentinels replace a primary that is told to go, and one that is killed`(password: String?)
        async throws
    {
        let sentinels = try await RedisSentinels.start(password: password)
        let first = try await sentinels.primary()
        #expect(first == 0)
        let second = try await sentinels.failOver()
        #expect(second != 0)
        try await sentinels.servers[second].kill()
        let third = try await sentinels.waitForFailover(from: second)
        #expect(third != second)
        #expect(try await sentinels.servers[third].command("SET", "k", "v") == .text("OK"))
    }
}
