// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

/// One connection that names the tenant of each call, for many tenants in turn.
@Suite(.timeLimit(.minutes(5))) struct GatewayIsolationTests {
    private static let names = adversarialNames.filter { !$0.isEmpty }
    private static let prompts = ["how do I reset my password", "where is my invoice"]

    /// Sends calls for tenants without waiting, and gives the replies in the order of the calls.
    private static func ask(
        _ client: WireClient, _ calls: [(tenant: String, request: ServiceRequest)]
    ) async throws -> [Result<ServiceResponse, CacheError>] {
        var replies = [Result<ServiceResponse, CacheError>?](repeating: nil, count: calls.count)
        for (position, call) in calls.enumerated() {
            try await client.send(call.request, id: UInt64(1 + position), tenant: call.tenant)
        }
        for _ in calls {
            let reply = try await client.nextReply()
            replies[Int(reply.id) - 1] = reply.result
        }
        return try replies.map { try #require($0) }
    }

    private static func outcome(_ result: Result<ServiceResponse, CacheError>) throws -> LookupOutcome {
        guard case .lookup(let outcome) = try result.get() else { throw Unexpected(description: "no outcome") }
        return outcome
    }

    private static func run(_ body: (WireClient) async throws -> Void) async throws {
        let grants = [APIKeyGrant.gateway(nil, key: "gate")]
        try await TestService.run(grants: grants) { service in
            let gate = try await service.connect("gate")
            let stores = Self.names.flatMap { name in
                Self.prompts.map { (name, ServiceRequest.store(store($0, "\($0) of \(ascii(name))"))) }
            }
            for result in try await Self.ask(gate, stores) { _ = try result.get() }
            try await body(gate)
        }
    }

    @Test func `calls for 49 tenants, mixed on one connection, are each answered for its own`() async throws {
        try await Self.run { gate in
            var random = SeededGenerator(7)
            var tiers: [Tier: Int] = [:]
            for _ in 0..<6 {
                let calls = Self.names.flatMap { name in Self.prompts.map { (name, $0) } }.shuffled(using: &random)
                let requests = calls.map { name, prompt in
                    let asked = random.chance(0.5) ? prompt : prompt + " please"
                    return (name, ServiceRequest.lookup(lookup(asked)))
                }
                for (call, result) in zip(calls, try await Self.ask(gate, requests)) {
                    let outcome = try Self.outcome(result)
                    #expect(outcome.response == "\(call.1) of \(ascii(call.0))")
                    if let tier = outcome.hit?.tier { tiers[tier, default: 0] += 1 }
                }
            }
            #expect((tiers[.l1] ?? 0) > 100, "the fast lane had nothing to do: \(tiers)")
        }
    }

    @Test func `names that only look equal take turns on one connection`() async throws {
        try await Self.run { gate in
            for pair in [["caf\u{e9}", "cafe\u{301}"], ["\u{c5}", "A\u{30a}", "\u{212b}"], ["a", "a|b", "a ", "A"]] {
                for _ in 0..<4 {
                    for name in pair {
                        let result = try await gate.ask(.lookup(lookup(Self.prompts[0])), tenant: name)
                        #expect(try Self.outcome(result).response == "\(Self.prompts[0]) of \(ascii(name))")
                    }
                }
            }
        }
    }

    @Test func `what one tenant removes and stores in between is felt by no other`() async throws {
        try await Self.run { gate in
            var gone: Set<[UInt8]> = []
            for (position, victim) in Self.names.enumerated().filter({ $0.offset.isMultiple(of: 3) }) {
                let selectors: [InvalidateRequest.Selector] = [
                    .wholeCache, .wholeTenant(confirmation: victim), .exactPrompt(text(Self.prompts[0]), vary: []),
                ]
                let selector = selectors[position / 3 % 3]
                let cache = if case .wholeTenant = selector { "" } else { "support" }
                _ = try await gate.ask(.invalidate(invalidate(selector, cache: cache)), tenant: victim).get()
                gone.insert(Array(victim.utf8))
                let calls = Self.names.map { ($0, ServiceRequest.lookup(lookup(Self.prompts[0], mode: .exact))) }
                for (name, result) in zip(Self.names, try await Self.ask(gate, calls)) {
                    let expected = gone.contains(Array(name.utf8)) ? nil : "\(Self.prompts[0]) of \(ascii(name))"
                    #expect(try Self.outcome(result).response == expected)
                }
            }
            for name in Self.names {
                let statistics = try await gate.statistics(tenant: name)
                #expect(statistics.caches.map(\.cache) == ["support"])
                #expect(statistics.caches[0].stores == 2)
            }
        }
    }

    @Test func `a gateway reaches the tenants that it was given, byte for byte, and must name one`() async throws {
        let allowed = ["a", "caf\u{e9}", "*", "tenant1"]
        let grants = [APIKeyGrant.gateway(allowed, key: "gate")] + Self.names.map { .tenant($0, key: "key of \($0)") }
        try await TestService.run(grants: grants) { service in
            let gate = try await service.connect("gate")
            for name in Self.names {
                let isAllowed = allowed.contains { Array($0.utf8) == Array(name.utf8) }
                let requests: [ServiceRequest] = [
                    .lookup(lookup("q")), .store(store("q", "r")), .stats(cache: nil), .ping,
                    .invalidate(invalidate(.wholeTenant(confirmation: name), cache: "")),
                ]
                for request in requests {
                    #expect(try await gate.error(request, tenant: name)?.code == (isAllowed ? nil : .permissionDenied))
                }
                // Nobody else's credential names a tenant, its own neither.
                let own = try await service.connect("key of \(name)")
                for other in [name, "a", "*"] {
                    #expect(try await own.error(.lookup(lookup("q")), tenant: other)?.code == .permissionDenied)
                }
                await own.close()
            }
            #expect(try await gate.error(.lookup(lookup("q")))?.code == .invalidArgument)
        }
    }
}
