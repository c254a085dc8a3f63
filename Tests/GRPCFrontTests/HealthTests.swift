// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import GRPCCore
import TestSupport
import Testing

@testable import GRPCFront

@Suite(.timeLimit(.minutes(1))) struct HealthTests {
    private static let serving: [UInt8] = [0x08, 1]
    private static let notServing: [UInt8] = [0x08, 2]
    private static let unknown: [UInt8] = [0x08, 3]

    private func asking(_ service: String) -> [UInt8] { ProtobufBytes().text(1, service).bytes }

    /// Watches until the server ends it, telling each status.
    private func watch(_ service: String, _ client: TestFront.Client, _ statuses: Mailbox<[UInt8]>) async throws {
        defer { statuses.close() }
        try await client.serverStreaming(
            request: ClientRequest(message: self.asking(service)),
            descriptor: MethodDescriptor(fullyQualifiedService: "grpc.health.v1.Health", method: "Watch"),
            serializer: Bytes(), deserializer: Bytes(), options: .defaults
        ) { response in
            for try await status in response.messages { statuses.append(status) }
        }
    }

    @Test(arguments: ["", "semcached.v1.SemanticCache", "semcached.v1.Admin"])
    func `the health of the server and of its services is told to everybody`(service: String) async throws {
        let guarded = CredentialAuthenticator(.init(keys: []))
        try await TestFront.run(authenticator: guarded) { front in
            try await front.withClient { client in
                let check = "grpc.health.v1.Health/Check"
                let before = try await client.unary(check, self.asking(service))
                #expect(before == Self.serving)
                front.health.isServing = false
                let after = try await client.unary(check, self.asking(service))
                #expect(after == Self.notServing)
            }
        }
    }

    @Test func `a service that is not there is not found`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.unary("grpc.health.v1.Health/Check", self.asking("nobody"))
                }
                #expect(error?.code == .notFound)
            }
        }
    }

    @Test func `who watches is told of each change`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let statuses = Mailbox<[UInt8]>()
                await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.watch("semcached.v1.SemanticCache", client, statuses) }
                    #expect(await statuses.next() == Self.serving)
                    front.health.isServing = false
                    #expect(await statuses.next() == Self.notServing)
                    front.health.isServing = true
                    #expect(await statuses.next() == Self.serving)
                    group.cancelAll()
                }
            }
        }
    }

    @Test func `who watches a service that is not there is told so, and waits`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let statuses = Mailbox<[UInt8]>()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.watch("nobody", client, statuses) }
                    #expect(await statuses.next() == Self.unknown)
                    try await client.call(.ping)
                    group.cancelAll()
                }
            }
        }
    }

    @Test func `a server that stops says so to those who watch, and does not wait for them`() async throws {
        try await TestFront.run(endsGracefully: true) { front in
            try await front.withClient { client in
                let statuses = Mailbox<[UInt8]>()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try? await self.watch("", client, statuses) }
                    #expect(await statuses.next() == Self.serving)
                    await front.beginShutdown()
                    #expect(await statuses.next() == Self.notServing)
                    #expect(await statuses.next() == nil)
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test func `a connection may have only so many streams that are no calls`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let first = Mailbox<[UInt8]>()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<16 { group.addTask { try await self.watch("", client, first) } }
                    for _ in 0..<16 { #expect(await first.next() == Self.serving) }
                    let error = await #expect(throws: RPCError.self) {
                        _ = try await client.unary("grpc.health.v1.Health/Check", self.asking(""))
                    }
                    #expect(error?.code == .resourceExhausted)
                    try await client.call(.ping)
                    group.cancelAll()
                }
            }
        }
    }

    @Test(arguments: [[0xff], [0x0a, 5, 0x61], [0x0a, 1, 0xff]] as [[UInt8]])
    func `a message that is none is refused`(message: [UInt8]) async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.unary("grpc.health.v1.Health/Check", message)
                }
                #expect(error?.code == .invalidArgument)
            }
        }
    }
}
