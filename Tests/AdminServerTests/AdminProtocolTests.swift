// SPDX-License-Identifier: Apache-2.0

import AdminServer
import NIOCore
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct AdminProtocolTests {
    private static let metrics: AdminPages = {
        var pages = AdminPages.quiet
        pages.metrics = { Array("a 1\n".utf8) }
        return pages
    }()

    @Test(arguments: ["/", "/metric", "/metrics/", "/METRICS", "//metrics", "/../metrics", "/%6detrics"])
    func `what is no page is not found`(path: String) async throws {
        let answer = try await AdminFixture.run { try await $0.get(path) }
        #expect(answer.status == 404)
        #expect(answer.body == "Not Found\n")
    }

    @Test(arguments: ["/metrics?x=1", "/metrics?", "http://elsewhere/metrics"])
    func `a page is found by its path alone`(path: String) async throws {
        #expect(try await AdminFixture.run(Self.metrics) { try await $0.get(path) }.body == "a 1\n")
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
    func `nothing can be changed here`(method: String) async throws {
        let answer = try await AdminFixture.run { try await $0.get("/config", method: method) }
        #expect(answer.status == 405)
        #expect(answer.headers["allow"] == "GET, HEAD")
    }

    @Test func `HEAD answers as GET does, without the body`() async throws {
        let answer = try await AdminFixture.run(Self.metrics) { try await $0.get("/metrics", method: "HEAD") }
        #expect(answer.status == 200)
        #expect(answer.headers["content-length"] == "4")
        #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(answer.body.isEmpty)
    }

    @Test(arguments: ["/healthz", "/readyz", "/metrics", "/stats.json", "/config", "/nothing"])
    func `no answer is kept by anyone in between`(path: String) async throws {
        let answer = try await AdminFixture.run { try await $0.get(path) }
        #expect(answer.headers["cache-control"] == "no-store")
        #expect(answer.headers["x-content-type-options"] == "nosniff")
        #expect(answer.headers["server"] == nil)
    }

    @Test func `a connection serves one request after the other`() async throws {
        try await AdminFixture.run(Self.metrics) { fixture in
            let connection = try await fixture.connect()
            for _ in 0..<3 {
                try await connection.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(await connection.text(upTo: "a 1\n").hasPrefix("HTTP/1.1 200 OK\r\n"))
            }
            try await connection.channel.close()
        }
    }

    @Test func `requests that come at once are answered in their order`() async throws {
        let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
        let response = try await AdminFixture.run { fixture in
            try await fixture.exchange(
                String(repeating: request, count: 10) + "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n")
        }
        let statuses = response.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
        #expect(statuses == Array(repeating: ["200", "404"], count: 10).flatMap { $0 } + ["200"])
    }

    @Test func `a request that is being answered at shutdown gets its answer`() async throws {
        let (asked, released) = (Mailbox<Void>(), Mailbox<Void>())
        var pages = AdminPages.quiet
        pages.metrics = {
            asked.append(())
            _ = await released.next()
            return Array("last 1\n".utf8)
        }
        let response = try await AdminFixture.run(pages) { fixture, shutDown in
            let connection = try await fixture.connect()
            try await connection.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = await asked.next()
            await shutDown()
            released.append(())
            return String(decoding: await connection.rest(), as: UTF8.self)
        }
        #expect(Answer(response).body == "last 1\n")
    }
}
