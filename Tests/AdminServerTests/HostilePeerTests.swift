// SPDX-License-Identifier: Apache-2.0

import AdminServer
import NIOCore
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct HostilePeerTests {
    private static let line = "GET /healthz HTTP/1.1\r\n"

    private static let malformed: [String] = [
        "\r\n\r\n\r\n", "GET\r\n\r\n", "GET /healthz\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\u{3}",
        "GET /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /healthz HTTP/1.1\r\nBad Name: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nX: \u{0}\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "CONNECT x:1 HTTP/1.1\r\n\r\n",
        "GET  HTTP/1.1\r\n\r\n", "BREW /healthz HTTP/1.1\r\n\r\n", "GET /\u{e9} HTTP/1.1\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}",
    ]

    @Test(arguments: malformed) func `what is no request is refused, and others are served`(request: String)
        async throws
    {
        try await AdminFixture.run { fixture in
            let response = try await fixture.exchange(request)
            #expect(!response.contains("HTTP/1.1 2"), "\(response)")
            #expect(try await fixture.get("/healthz").status == 200)
        }
    }

    @Test func `random bytes are refused, and others are served`() async throws {
        try await AdminFixture.run { fixture in
            var generator = SeededGenerator(5)
            for _ in 0..<100 {
                let bytes = (0..<Int.random(in: 1...600, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                let response = String(decoding: try await fixture.exchange(bytes), as: UTF8.self)
                #expect(!response.contains("HTTP/1.1 2"))
            }
            #expect(try await fixture.get("/healthz").status == 200)
        }
    }

    @Test(arguments: [
        line + "X: \(String(repeating: "x", count: 20_000))\r\n\r\n",
        line + (0..<200).map { "X\($0): y\r\n" }.joined() + "\r\n",
        line + (0..<90).map { "X\($0): \(String(repeating: "y", count: 300))\r\n" }.joined() + "\r\n",
        "GET /\(String(repeating: "x", count: 200_000)) HTTP/1.1\r\n\r\n",
    ])
    func `a header that is too large is refused`(request: String) async throws {
        try await AdminFixture.run { fixture in
            let response = try await fixture.exchange(request)
            #expect(!response.contains("HTTP/1.1 2"), "\(response.prefix(100))")
            #expect(try await fixture.get("/healthz").status == 200)
        }
    }

    @Test(arguments: [
        "Content-Length: 1025\r\n\r\n", "Content-Length: 99999999999999999999\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ])
    func `a request with a body is refused, and its connection ended`(rest: String) async throws {
        let response = try await AdminFixture.run { fixture in
            try await fixture.exchange(Self.line + rest, closesOutput: false)
        }
        #expect(!response.contains("HTTP/1.1 2"), "\(response)")
        #expect(response.isEmpty || response.contains("HTTP/1.1 4"))
    }

    @Test func `a small body is read over`() async throws {
        let request = Self.line + "Content-Length: 5\r\n\r\nhelloGET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n"
        let response = try await AdminFixture.run { try await $0.exchange(request) }
        #expect(response.split(separator: "HTTP/1.1 ").map { $0.prefix(3) } == ["200", "404"])
    }

    @Test(arguments: ["", "GET /he", line, line + "X: y\r\n", line + "Content-Length: 5\r\n\r\nhe"])
    func `a request that does not come to its end is not waited for`(start: String) async throws {
        let response = try await AdminFixture.run(deadline: .seconds(1)) { fixture in
            let connection = try await fixture.connect()
            // It may be over already.
            try? await connection.send(start)
            return String(decoding: await connection.rest(), as: UTF8.self)
        }
        #expect(!response.contains("HTTP/1.1 4"))
    }

    @Test func `a peer that keeps its connections open keeps others waiting for the deadline at most`() async throws {
        try await AdminFixture.run(deadline: .seconds(15), maximumConnections: 2) { fixture in
            let idle = [try await fixture.connectAndAsk(), try await fixture.connectAndAsk()]
            #expect(try await fixture.get("/healthz").status == 200)
            for connection in idle { #expect(await connection.rest().isEmpty) }
        }
    }

    @Test func `a peer that does not read is not waited for`() async throws {
        let size = 32 << 20
        var pages = AdminPages.quiet
        pages.metrics = { [UInt8](repeating: UInt8(ascii: "#"), count: size) }
        try await AdminFixture.run(pages, deadline: .seconds(15), maximumConnections: 1) { fixture in
            let deaf = try await fixture.connectAndAsk()
            try await deaf.channel.setOption(.autoRead, value: false).get()
            try await deaf.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            // There is room for one: this one is let in when the other is gone.
            #expect(try await fixture.get("/healthz").status == 200)
            // It may know already that it is over.
            try? await deaf.channel.setOption(.autoRead, value: true).get()
            #expect(await deaf.rest().count < size)
        }
    }
}

extension AdminFixture {
    /// A connection that was let in: those that come at the same moment are, whatever the limit.
    fileprivate func connectAndAsk() async throws -> RawConnection {
        let connection = try await self.connect()
        try await connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(await connection.text(upTo: "ok\n").hasPrefix("HTTP/1.1 200 OK\r\n"))
        return connection
    }
}
