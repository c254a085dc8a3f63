// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOHTTP1
import TestSupport
import Testing

@testable import HTTPEmbedder

/// What the caller sees of a provider that does not behave.
struct MisbehaviourTests {
    private static let numbers = Array(repeating: "0.5", count: ProviderServer.dimensions).joined(separator: ",")

    private static func item(_ index: Int = 0, _ numbers: String = numbers) -> String {
        #"{"index":\#(index),"embedding":[\#(numbers)]}"#
    }

    private static func list(_ items: String..., model: String = ProviderServer.model) -> String {
        #"{"data":[\#(items.joined(separator: ","))],"model":"\#(model)"}"#
    }

    private static let cases: [(String, ProviderServer.Answer, EmbedderError.Code)] = [
        ("429 without a time", .status(429), .overloaded),
        ("429 with a time", .status(429, headers: ["retry-after": "1"]), .overloaded),
        ("429 for want of money", .status(429, body: #"{"error":{"code":"insufficient_quota"}}"#), .refused),
        ("500", .status(500), .unavailable), ("503", .status(503), .unavailable), ("401", .status(401), .refused),
        ("403", .status(403), .refused), ("404", .status(404), .refused), ("400", .status(400), .failed),
        ("418", .status(418), .failed), ("a wrong dimension", .body(list(item(0, "1,2,3"))), .failed),
        ("NaN", .body(list(item(0, numbers.replacing("0.5", with: "NaN")))), .failed),
        ("infinite", .body(list(item(0, numbers.replacing("0.5", with: "1e999")))), .failed),
        ("zeros", .body(list(item(0, numbers.replacing("0.5", with: "0")))), .failed),
        ("truncated JSON", .body(String(list(item()).dropLast(10))), .failed), ("no JSON", .body("<html>"), .failed),
        ("nothing", .body(""), .failed), ("too few", .body(list()), .failed),
        ("too many", .body(list(item(0), item(1))), .failed), ("a wrong index", .body(list(item(1))), .failed),
        ("the same index twice", .body(list(item(0), item(0))), .failed),
        ("an error with status 200", .body(#"{"error":{"message":"no"}}"#), .failed),
        ("another model", .body(list(item(), model: "text-embedding-3-large")), .refused),
        ("a body that is too long", .body(String(repeating: " ", count: 100 << 10)), .failed),
        ("a body that is announced too long", .status(200, headers: ["content-length": "99999999999"]), .failed),
        ("gzip", .body("\u{1f}\u{8b}", headers: ["content-encoding": "gzip"]), .failed),
        ("the end of the connection", .close, .unavailable), ("the end in the body", .cutOff, .unavailable),
        ("noise", .noise, .unavailable), ("a redirect", .status(307, headers: ["location": "/v1/other"]), .failed),
    ]

    @Test(arguments: cases.indices)
    func `the caller sees one error in time, and nothing secret is told`(_ index: Int) async throws {
        let (name, answer, code) = Self.cases[index]
        let log = RecordedLog()
        let key = try SecretFile(secret)
        try await ProviderServer.withServer({ _, _ in answer }) { server in
            let configuration = configuration(server.url) { $0.credential = .file(key.path) }
            try await withEmbedder(configuration, logger: log.logger) { embedder in
                let error = await #expect(throws: EmbedderError.self, "\(name)") {
                    try await embedder.vectors(["a very private text"])
                }
                #expect(error?.code == code, "\(name)")
                #expect(server.requests.count == 1, "\(name)")
                for told in log.lines + ["\(String(describing: error))"] {
                    for hidden in [secret, "private", "127.0.0.1", "\(server.port)"] {
                        #expect(!told.contains(hidden), "\(name)")
                    }
                }
            }
        }
        withExtendedLifetime(key) {}
    }

    @Test(arguments: [0, 1])
    func `one that hangs or drips is given up at the deadline`(_ kind: Int) async throws {
        try await ProviderServer.withServer({ _, _ in kind == 0 ? .silence : .drip }) { server in
            try await withEmbedder(configuration(server.url)) { embedder in
                let began = ContinuousClock.now
                #expect(await embedder.code(within: .seconds(2)) == .deadlineExceeded)
                #expect(.now - began < .seconds(20))
                // And the request with it.
                try #require(!server.requests.isEmpty)
                await server.departures.next()
            }
        }
    }

    @Test func `one that is slower than a request may be is a failure before the deadline`() async throws {
        try await ProviderServer.withServer({ _, _ in .silence }) { server in
            let configuration = configuration(server.url) { $0.requestTimeout = .milliseconds(100) }
            try await withEmbedder(configuration) { embedder in
                #expect(await embedder.code() == .unavailable)
            }
        }
    }

    @Test func `one that is gone is a failure at once`() async throws {
        try await withEmbedder(configuration(try await ProviderServer.goneURL())) { embedder in
            #expect(await embedder.code() == .unavailable)
        }
    }

    @Test func `a redirect is not followed, least of all with the credential`() async throws {
        let key = try SecretFile(secret)
        try await ProviderServer.withServer({ _, _ in .vectors() }) { other in
            let location = "\(other.url)/v1/embeddings"
            try await ProviderServer.withServer({ _, _ in .status(308, headers: ["location": location]) }) { server in
                let configuration = configuration(server.url) { $0.credential = .file(key.path) }
                try await withEmbedder(configuration) { embedder in
                    #expect(await embedder.code() == .failed)
                    #expect(other.requests.isEmpty)
                }
            }
        }
        withExtendedLifetime(key) {}
    }

    @Test func `a model's name that changes is refused until the end, with one line in the log`() async throws {
        let log = RecordedLog()
        let script: ProviderServer.Script = { number, _ in
            .vectors(model: number == 1 ? "\(ProviderServer.model)-v2" : ProviderServer.model)
        }
        try await ProviderServer.withServer(script) { server in
            try await withEmbedder(configuration(server.url), logger: log.logger) { embedder in
                #expect(await embedder.code() == nil)
                for _ in 0..<5 { #expect(await embedder.code() == .refused) }
                #expect(server.requests.count == 2)
                #expect(log.lines(with: "error the provider").count == 1)
            }
        }
    }
}
