// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct HandshakeTests {
    /// Sends bytes as the first of a connection and expects one error, of no call, and the end.
    private static func expectRefusal(
        of bytes: [UInt8], _ message: String, _ code: CacheError.Code = .invalidArgument, by server: TestServer
    ) async throws {
        let client = try await server.connect()
        try await client.send(bytes: bytes)
        #expect(try await client.next() == .reply(Reply(id: 0, result: .failure(CacheError(code, message)))))
        #expect(try await client.next() == nil)
    }

    @Test func `a hello is answered with the version and the limits`() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            try await client.send(.hello(Hello(minimumVersion: 0, maximumVersion: 7, clientName: "späher")))
            let welcome = Welcome(version: 1, serverVersion: ServiceVersion.current, embeddingDimensions: 64)
            #expect(try await client.next() == .welcome(welcome))
            #expect(try await client.ask(.ping) == .success(serverVersion))
        }
    }

    @Test func `a hello and calls in one packet are all answered`() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            try await client.send(
                .hello(Hello(minimumVersion: 1, maximumVersion: 1, clientName: "")),
                .call(Call(id: 5, request: .success(.ping))))
            guard case .welcome = try await client.next() else {
                Issue.record("not welcome")
                return
            }
            #expect(try await client.next() == .reply(Reply(id: 5, result: .success(serverVersion))))
        }
    }

    @Test func `another version is refused with ours`() async throws {
        try await TestServer.run { server in
            try await Self.expectRefusal(
                of: ProtobufBytes.hello(minimum: 2, maximum: 3).frame, "this server speaks protocol versions 1 to 1",
                .failedPrecondition, by: server)
        }
    }

    @Test func `whatever comes before hello is refused with its error`() async throws {
        try await TestServer.run { server in
            let notProtobuf = "message is no valid protobuf or takes too much memory"
            try await Self.expectRefusal(of: ProtobufBytes.lookup(.asking()).frame, "a call before hello", by: server)
            try await Self.expectRefusal(
                of: ProtobufBytes().message(3, ProtobufBytes().varint(1, 1)).frame, "a cancel before hello", by: server)
            try await Self.expectRefusal(of: framed([0xff, 0xff]), notProtobuf, by: server)
            try await Self.expectRefusal(of: framed([]), "message is neither hello, call nor cancel", by: server)
            try await Self.expectRefusal(
                of: ProtobufBytes.hello(name: [0xff]).frame, "client_name is not valid UTF-8", by: server)
            try await Self.expectRefusal(
                of: Array("GET / HTTP/1.1\r\n\r\n".utf8), "frame flags are 71; only 0 (not compressed) is supported",
                by: server)
            try await Self.expectRefusal(
                of: framed([], flags: 1), "frame flags are 1; only 0 (not compressed) is supported", by: server)
            // A stranger gets no memory: a body that would be fine later is refused by its header.
            try await Self.expectRefusal(
                of: [0, 0, 0, 0x40, 0x01], "frame has 16385 bytes, the limit is 16384", by: server)
            #expect(try await server.open().ask(.ping) == .success(serverVersion))
        }
    }

    @Test func `a second hello ends the connection`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            try await client.send(bytes: ProtobufBytes.hello().frame)
            #expect(
                try await client.next()
                    == .reply(Reply(id: 0, result: .failure(CacheError(.invalidArgument, "a second hello")))))
            #expect(try await client.next() == nil)
        }
    }

    @Test func `a thousand connections that never say hello are refused, and others are not disturbed`() async throws {
        var limits = ConnectionLimits.patient
        limits.handshakeDeadline = .seconds(3)
        try await TestServer.run(limits: limits) { server in
            let client = try await server.openInTime()
            try await client.store(store("how do I reset my password", "by mail"))
            let silent = try await withThrowingTaskGroup(of: WireClient.self) { group in
                for number in 0..<1000 {
                    group.addTask {
                        let stranger = try await server.connect()
                        // Some begin a hello and do not end it.
                        if number % 3 == 0 { try? await stranger.send(bytes: [0, 0, 0, 0, 9, 0x0a]) }
                        return stranger
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            var answers = 0
            try await withThrowingTaskGroup(of: Int.self) { group in
                for stranger in silent {
                    group.addTask {
                        let refusal = CacheError(.invalidArgument, "no hello within 3.0 seconds")
                        let (message, end) = (try await stranger.next(), try await stranger.next())
                        #expect(message == .reply(Reply(id: 0, result: .failure(refusal))))
                        #expect(end == nil)
                        return 1
                    }
                }
                var refused = 0
                while refused < silent.count {
                    #expect(try await client.lookup(lookup("how do I reset my password")).response == "by mail")
                    answers += 1
                    refused += try await group.next() ?? 0
                }
            }
            #expect(answers >= 1000)
            // All of them are gone from the server's books too.
            guard case .success(.stats(let statistics)) = try await client.ask(.stats(cache: nil)) else {
                Issue.record("no statistics")
                return
            }
            #expect(statistics.connections == 1)
        }
    }

    @Test func `strangers over the limit are closed at once, and a hello makes room for the next`() async throws {
        var limits = ConnectionLimits.patient
        limits.maximumUnauthenticatedConnections = 2
        try await TestServer.run(limits: limits) { server in
            var strangers = [try await server.connect(), try await server.connect(), try await server.connect()]
            // Which of them the event loops come to last is not said.
            let refusals = Mailbox<Int>()
            for (number, stranger) in strangers.enumerated() {
                // Awaited by nobody: ends with its connection.
                Task {
                    await stranger.closed()
                    refusals.append(number)
                }
            }
            let refused = try #require(await refusals.next())
            #expect(try await strangers.remove(at: refused).next() == nil)
            for client in strangers {
                try await client.send(.hello(Hello(minimumVersion: 1, maximumVersion: 1, clientName: "")))
                guard case .welcome = try await client.next() else {
                    Issue.record("not welcome")
                    return
                }
            }
            let third = try await server.open()
            #expect(try await third.ask(.ping) == .success(serverVersion))
        }
    }

    @Test func `connections over the limit are closed at once, and an end makes room for the next`() async throws {
        var limits = ConnectionLimits.patient
        limits.maximumConnections = 2
        try await TestServer.run(limits: limits) { server in
            let first = try await server.open()
            let second = try await server.open()
            #expect(try await server.connect().next() == nil)
            await first.close()
            while try await Self.connections(by: second) > 1 {}
            let third = try await server.open()
            #expect(try await third.ask(.ping) == .success(serverVersion))
        }
    }

    private static func connections(by client: WireClient) async throws -> UInt64 {
        guard case .success(.stats(let statistics)) = try await client.ask(.stats(cache: nil)) else { return .max }
        return statistics.connections
    }
}
