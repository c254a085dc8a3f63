// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import GRPCCore
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import GRPCFront

/// Peers that take more than is theirs: memory, places, answers that they do not read.
@Suite(.timeLimit(.minutes(1))) struct AbuseTests {
    private static let largest = String(repeating: "0123456789abcdef", count: Limits.maximumResponseBytes / 16)
    private static let question = StockMessages.request(lookup("large", mode: .exact))

    private var patient: ConnectionLimits {
        var limits = ConnectionLimits()
        limits.writeDeadline = .milliseconds(200)
        return limits
    }

    // MARK: Requests

    @Test func `a second message is refused before it has arrived`() async throws {
        try await TestFront.run { front in
            try await front.withFramePeer { peer in
                try await peer.open(FramePeer.lookup, stream: 1)
                // An empty message, and the beginning of one of 4 MiB.
                try await peer.send(0, stream: 1, ByteBuffer(bytes: [0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0]))
                #expect(try await peer.nextStatus() == "3")
                try await peer.call(FramePeer.ping, stream: 3)
                #expect(try await peer.nextStatus() == "0")
            }
        }
    }

    @Test func `a second message that comes with the first is refused`() async throws {
        try await TestFront.run { front in
            try await front.withFramePeer { peer in
                try await peer.open(FramePeer.ping, stream: 1)
                try await peer.send(0, flags: 1, stream: 1, ByteBuffer(repeating: 0, count: 10))
                #expect(try await peer.nextStatus() == "3")
            }
        }
    }

    // MARK: Answers

    @Test func `answers that a peer does not read are refused above the limit, and their room is given back`()
        async throws
    {
        try await TestFront.run { front in
            try await front.withClient { try await $0.call(store("large", Self.largest)) }
            try await front.withFramePeer(initialWindow: 0) { peer in
                let calls = UInt32(40)
                for number in 0..<calls { try await peer.call(FramePeer.lookup, Self.question, stream: 1 + 2 * number) }
                // 15 of 2 MiB and a little have room.
                for _ in 0..<25 { #expect(try await peer.nextStatus() == "8") }
                let unread = front.front.peers.unreadBytes
                #expect(unread > 15 * Limits.maximumResponseBytes)
                #expect(unread <= 4 * Limits.maximumUnwrittenBytes)
                for number in 0..<calls { try await peer.reset(stream: 1 + 2 * number) }
                while front.front.peers.unreadBytes > 0 {
                    try Task.checkCancellation()
                    await Task.yield()
                }
                try await peer.call("/nobody/Nothing", stream: 101)
                #expect(try await peer.nextStatus() == "12")
            }
        }
    }

    @Test func `an answer that is read takes no room`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                try await client.call(store("large", Self.largest))
                for _ in 0..<20 { #expect(try await client.call(lookup("large")).text == Self.largest) }
                while front.front.peers.unreadBytes > 0 {
                    try Task.checkCancellation()
                    await Task.yield()
                }
            }
        }
    }

    @Test func `a peer that does not take an answer is sent away, though it takes others`() async throws {
        try await TestFront.run(limits: self.patient) { front in
            try await front.withClient { try await $0.call(store("large", Self.largest)) }
            try await front.withFramePeer(initialWindow: 0) { peer in
                try await peer.call(FramePeer.lookup, Self.question, stream: 1)
                var stream: UInt32 = 3
                do {
                    repeat {
                        try await peer.call("/nobody/Nothing", stream: stream)
                        stream += 2
                    } while try await peer.nextStatus() == "12"
                } catch is IOError, is ChannelError {
                    // Closed while it was being asked.
                }
            }
        }
    }

    @Test func `a peer that reads nothing at all is sent away`() async throws {
        try await TestFront.run(limits: self.patient) { front in
            try await front.withClient { try await $0.call(store("large", Self.largest)) }
            while front.front.peers.count > 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.autoRead, value: false)
                .connect(host: "127.0.0.1", port: front.port).get()
            // Before it asks: afterwards it may be gone before anybody looks.
            while front.front.peers.count == 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
            var bytes = ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            // Windows that have room for all of it.
            bytes.writeBytes([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff])
            bytes.writeBytes([0, 0, 4, 8, 0, 0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff])
            for number in 0..<UInt32(14) {
                bytes.writeImmutableBuffer(
                    try FramePeer.requestBytes(FramePeer.lookup, Self.question, stream: 1 + 2 * number))
            }
            try await channel.writeAndFlush(bytes)
            while front.front.peers.count > 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
            try? await channel.close()
        }
    }

    // MARK: Strangers

    private var guarded: CredentialAuthenticator {
        let grant = APIKeyGrant(digest: Digest(ofAPIKey: "key"), tenancy: .tenant(TenantID("a")), roles: .all)
        return CredentialAuthenticator(.init(keys: [grant]))
    }

    @Test func `who only speaks HTTP/2, or asks for health, takes the place of a stranger`() async throws {
        var limits = ConnectionLimits()
        limits.maximumUnauthenticatedConnectionsPerAddress = 1
        try await TestFront.run(authenticator: self.guarded, limits: limits) { front in
            try await front.withClient { first in
                _ = try await first.unary("grpc.health.v1.Health/Check", [])
                await #expect(throws: (any Error).self) { try await front.withFramePeer { _ in } }
                try await first.call(.ping, ["x-api-key": "key"])
                // The server has noticed, or is about to.
                try await front.withClient { second in
                    while try await second.error(.ping, ["x-api-key": "key"]) != nil {
                        try Task.checkCancellation()
                        await Task.yield()
                    }
                }
            }
        }
    }

    @Test func `a connection that shows one wrong credential after the other is sent away`() async throws {
        try await TestFront.run(authenticator: self.guarded) { front in
            try await front.withFramePeer { peer in
                for number in 0..<UInt32(Limits.maximumRefusedCredentials) {
                    try await peer.call(FramePeer.ping, stream: 1 + 2 * number)
                    #expect(try await peer.nextStatus() == "16")
                }
                #expect(try await peer.next(7) != nil)
            }
        }
    }

    @Test func `a credential that is accepted makes up for those that were not`() async throws {
        let events = Mailbox<Peer.Event>()
        let peer = Peer(id: 1, certificate: nil) { events.append($0) }
        for _ in 0..<3 {
            for _ in 1..<Limits.maximumRefusedCredentials { peer.credentialRefused() }
            peer.credentialAccepted()
        }
        #expect(!peer.isRefused)
        for _ in 0..<Limits.maximumRefusedCredentials { peer.credentialRefused() }
        peer.credentialAccepted()
        #expect(peer.isRefused)
        events.close()
        #expect(await events.next() == .isKnown)
        #expect(await events.next() == .wasRefused)
        #expect(await events.next() == nil)
    }
}
