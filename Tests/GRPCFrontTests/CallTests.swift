// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import GRPCCore
import TestSupport
import Testing

@testable import GRPCFront

/// Calls of a stock client.
@Suite(.timeLimit(.minutes(1))) struct CallTests {
    @Test func `what is stored is found`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                try await client.call(store("how do I reset it?", "press the button"))
                #expect(try await client.call(lookup("how do I reset it?")).text == "press the button")
                #expect(try await client.call(lookup("another", mode: .exact)).missReason == .notStored)
            }
        }
    }

    @Test func `what is invalidated is gone`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                try await client.call(store("how do I reset it?", "press the button"))
                let all = InvalidateRequest(cache: "support", selector: .wholeCache, isDryRun: false)
                guard case .invalidate(let outcome) = try await client.call(.invalidate(all)) else {
                    Issue.record("it is no answer to an Invalidate")
                    return
                }
                #expect(outcome.count == 1)
                #expect(try await client.call(lookup("how do I reset it?", mode: .exact)).missReason == .notStored)
            }
        }
    }

    @Test func `statistics, an export and a ping are answered`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                try await client.call(store("how do I reset it?", "press the button"))
                guard case .stats(let statistics) = try await client.call(.stats(cache: nil)),
                    case .export(let page) = try await client.call(
                        .export(ExportRequest(cache: "support", filter: nil, cursor: nil, pageSize: 10)))
                else {
                    Issue.record("the answers are of other kinds")
                    return
                }
                #expect(statistics.caches.map(\.stores) == [1])
                #expect(page.entries.map { $0.entry.prompt?.text } == ["how do I reset it?"])
                #expect(try await client.call(.ping) == .ping(serverVersion: ServiceVersion.current))
            }
        }
    }

    @Test func `an error names the field that is at fault`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let bypassed = ProtobufBytes.asking().float(4, 7).bytes
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.unary("semcached.v1.SemanticCache/Lookup", bypassed)
                }
                #expect(error?.code == .invalidArgument)
                let details = try #require(error?.metadata[binaryValues: "grpc-status-details-bin"].first { _ in true })
                #expect(String(decoding: details, as: UTF8.self).contains("similarity_threshold"))
            }
        }
    }

    @Test func `a method that is not there is unimplemented`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.unary("semcached.v1.SemanticCache/Guess", [])
                }
                #expect(error?.code == .unimplemented)
            }
        }
    }

    @Test func `a tenant over its rate is told when to come again`() async throws {
        var policy = TenantPolicy(template: CachePolicy())
        policy.quota = TenantQuota(requestsPerSecond: 0.5, burst: 1)
        try await TestFront.run(directory: TenantDirectory(undeclared: policy)) { front in
            try await front.withClient { client in
                try await client.call(lookup("once"))
                let error = try await client.error(lookup("twice"))
                #expect(error?.code == .resourceExhausted)
                #expect(error?.metadata[stringValues: "grpc-retry-pushback-ms"].first { _ in true } == "2000")
            }
        }
    }

    @Test func `a request that cannot be served counts against the rate as well`() async throws {
        var policy = TenantPolicy(template: CachePolicy())
        policy.quota = TenantQuota(requestsPerSecond: 0.5, burst: 1)
        try await TestFront.run(directory: TenantDirectory(undeclared: policy)) { front in
            try await front.withClient { client in
                await #expect(throws: RPCError.self) {
                    _ = try await client.unary("semcached.v1.SemanticCache/Lookup", [])
                }
                try await client.expect(.resourceExhausted, of: lookup("now"))
            }
        }
    }

    @Test func `a lookup that is late is a miss that says so`() async throws {
        try await TestFront.run(embedder: ControlledEmbedder()) { front in
            try await front.withClient { client in
                let answer = try await client.call(lookup("what takes so long?"), ["grpc-timeout": "200m"])
                #expect(answer.missReason == .degraded(.deadlineExceeded))
            }
        }
    }

    @Test func `a store that is late fails`() async throws {
        try await TestFront.run(embedder: ControlledEmbedder()) { front in
            try await front.withClient { client in
                let late: Metadata = ["grpc-timeout": "200m"]
                try await client.expect(.deadlineExceeded, of: store("what takes so long?", "this"), late)
            }
        }
    }

    @Test(
        arguments: [
            ("1S", .milliseconds(950)), ("100m", .milliseconds(90)), ("10u", .microseconds(9)),
            ("100n", .nanoseconds(90)),
            ("1M", .milliseconds(59_950)), ("99999999H", Limits.maximumDeadline), ("0S", .zero),
        ] as [(String, Duration)]) func `an answer leaves before its caller's time is over`(
            timeout: String, allowed: Duration
        ) throws
    {
        let metadata: Metadata = [CallTimeout.headerName: "\(timeout)"]
        #expect(try metadata.timeAllowed() == allowed)
    }

    @Test(arguments: ["", "1", "S", "-1S", "1.5S", "123456789S", "1s", "1SS", "１S"])
    func `a timeout that is none is refused`(timeout: String) {
        let metadata: Metadata = [CallTimeout.headerName: "\(timeout)"]
        #expect(throws: CacheError.self) { try metadata.timeAllowed() }
    }

    @Test func `a call that names no time has the usual one`() throws {
        #expect(try Metadata().timeAllowed() == Limits.defaultDeadline)
    }

    @Test func `a call that its caller gives up leaves its place to another`() async throws {
        var policy = TenantPolicy(template: CachePolicy())
        policy.quota = TenantQuota(callsInFlight: 1)
        let embedder = ControlledEmbedder(isHeld: { $0 == "held" })
        try await TestFront.run(embedder: embedder, directory: TenantDirectory(undeclared: policy)) { front in
            try await front.withClient { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try await client.call(lookup("held")) }
                    _ = await embedder.nextHeld()
                    try await client.expect(.resourceExhausted, of: lookup("another"))
                    group.cancelAll()
                    await #expect(throws: (any Error).self) { try await group.waitForAll() }
                }
                // The server hears of it a moment later.
                while let error = try await client.error(lookup("another")) {
                    #expect(error.code == .resourceExhausted)
                    await Task.yield()
                }
            }
        }
    }

    @Test func `a response as large as may be stored is returned whole`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let large = String(repeating: "0123456789abcdef", count: Limits.maximumResponseBytes / 16)
                try await client.call(store("large", large))
                #expect(try await client.call(lookup("large")).text == large)
            }
        }
    }

    @Test func `a message over the limit is refused before it has arrived`() async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.unary(
                        "semcached.v1.SemanticCache/Lookup",
                        [UInt8](repeating: 0, count: Limits.maximumFrameBytes + 1))
                }
                #expect(error?.code == .resourceExhausted)
                try await client.call(.ping)
            }
        }
    }
}
