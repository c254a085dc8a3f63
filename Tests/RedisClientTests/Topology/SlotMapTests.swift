// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import RedisClient

@Suite struct SlotMapTests {
    private let asked = RedisAddress(host: "seed", port: 7000)

    private static func bytes(_ text: String) -> RESPValue { .bytes(ByteBuffer(string: text)) }

    private static func server(_ host: String, _ port: Int64) -> RESPValue {
        .array([self.bytes(host), .integer(port), self.bytes("0123abcd"), .array([])])
    }

    private static func range(_ first: Int64, _ last: Int64, _ servers: RESPValue...) -> RESPValue {
        .array([.integer(first), .integer(last)] + servers)
    }

    private func address(_ host: String, _ port: Int = 7000) -> RedisAddress { RedisAddress(host: host, port: port) }

    private func owner(_ slot: UInt16, _ map: SlotMap) -> RedisAddress? {
        map.owner(of: slot).map { map.primaries[$0] }
    }

    @Test func `each slot has the server that the cluster says`() throws {
        let reply = RESPValue.array([
            Self.range(0, 5460, Self.server("a", 7000), Self.server("ra", 7000)),
            Self.range(5461, 10_922, Self.server("b", 7000), Self.server("rb", 7000)),
            Self.range(12_000, 16_383, Self.server("a", 7000), Self.server("ra", 7000)),
        ])
        let map = try SlotMap(reply, from: self.asked)
        #expect(map.primaries == [self.address("a"), self.address("b")])
        #expect(map.replicas == [self.address("ra"), self.address("rb")])
        for (slot, host) in [(0, "a"), (5460, "a"), (5461, "b"), (10_922, "b"), (12_000, "a"), (16_383, "a")] {
            #expect(self.owner(UInt16(slot), map) == self.address(host))
        }
        #expect(map.owner(of: 11_000) == nil)
        #expect(map.owner(of: 16_384) == nil)
        #expect(map.owner(of: .max) == nil)
    }

    @Test(arguments: [RESPValue.null, .bytes(ByteBuffer())])
    func `a server without a name is at the host that was asked`(name: RESPValue) throws {
        let reply = RESPValue.array([Self.range(0, 16_383, .array([name, .integer(7001)]))])
        #expect(try SlotMap(reply, from: self.asked).primaries == [self.address("seed", 7001)])
    }

    @Test func `a server that does not know its name or port is left out`() throws {
        let reply = RESPValue.array([
            Self.range(0, 1, Self.server("?", 1)), Self.range(2, 3, Self.server("a", 7000), Self.server("b", 0)),
            Self.range(4, 5, Self.server("b", 0)),
        ])
        let map = try SlotMap(reply, from: self.asked)
        #expect(map.primaries == [self.address("a")])
        #expect(map.owner(of: 0) == nil && map.owner(of: 4) == nil)
        #expect(map.replicas.isEmpty)
    }

    @Test func `a redirection changes one slot`() throws {
        var map = try SlotMap(.array([Self.range(0, 16_383, Self.server("a", 7000))]), from: self.asked)
        map.assign(5, to: self.address("b"))
        map.assign(6, to: self.address("b"))
        map.assign(.max, to: self.address("c"))
        #expect(map.primaries == [self.address("a"), self.address("b")])
        #expect(self.owner(4, map) == self.address("a"))
        #expect(self.owner(5, map) == self.address("b"))
        #expect(self.owner(6, map) == self.address("b"))
        map.assign(5, to: self.address("a"))
        #expect(self.owner(5, map) == self.address("a"))
    }

    @Test func `redirections to ever more servers are noted up to the limit`() throws {
        var map = try SlotMap(.array([Self.range(0, 16_383, Self.server("a", 7000))]), from: self.asked)
        for port in 1...(2 * RedisLimits.maximumServers) { map.assign(UInt16(port), to: self.address("b", port)) }
        #expect(map.primaries.count == RedisLimits.maximumServers)
        #expect(self.owner(UInt16(2 * RedisLimits.maximumServers), map) == self.address("a"))
    }

    private static let hostileReplies: [RESPValue] = [
        .null, .integer(1), .array([.null]), .array([.array([])]), .array([.array([.integer(0), .integer(1)])]),
        .array([.error(RESPServerError(text: "ERR"))]), Self.bytes("x"),
        .array([Self.range(1, 0, Self.server("a", 1))]), .array([Self.range(-1, 0, Self.server("a", 1))]),
        .array([Self.range(0, 16_384, Self.server("a", 1))]), .array([Self.range(0, .max, Self.server("a", 1))]),
        .array([Self.range(.min, .max, Self.server("a", 1))]), .array([Self.range(0, 1, Self.server("a\"b", 1))]),
        .array(Array(repeating: Self.range(0, 8192, Self.server("a", 1)), count: 2)),
        .array([Self.range(0, 1, Self.server("a", 65_536))]), .array([Self.range(0, 1, Self.server("a", .min))]),
        .array([Self.range(0, 1, Self.server("a b", 1))]), .array([Self.range(0, 1, Self.server("a\u{0}", 1))]),
        .array([Self.range(0, 1, Self.server(String(repeating: "a", count: 256), 1))]),
        .array([Self.range(0, 1, .array([.integer(7), .integer(1)]))]), .array([Self.range(0, 1, .array([.null]))]),
        .array([Self.range(0, 1, Self.server("a", 1), .integer(3))]),
        .array([.array([.integer(0), .integer(1)] + Array(repeating: Self.server("a", 1), count: 65))]),
        .array(Array(repeating: Self.range(0, 1, Self.server("a", 1)), count: 16_385)),
        .array((1...1025).map { Self.range($0, $0, Self.server("a", $0)) }),
    ]

    @Test(arguments: Self.hostileReplies.indices)
    func `a reply that no cluster gives is an error`(place: Int) {
        let error = #expect(throws: RedisError.self) {
            try SlotMap(Self.hostileReplies[place], from: self.asked)
        }
        #expect(error?.code == .protocolViolation)
    }

    @Test func `a cluster that serves nothing is not there yet`() {
        let error = #expect(throws: RedisError.self) { try SlotMap(.array([]), from: self.asked) }
        #expect(error?.code == .unreachable)
    }

    @Test(arguments: [
        ("MOVED 3999 127.0.0.1:6381", 3999, "127.0.0.1", 6381), ("ASK 0 h:1", 0, "h", 1),
        ("MOVED 16383 ::1:6381", 16_383, "::1", 6381), ("MOVED 7 :6381", 7, "seed", 6381),
    ])
    func `a redirection is read`(text: String, slot: UInt16, host: String, port: Int) throws {
        let redirection = try #require(Redirection(text, from: self.asked))
        #expect(redirection.slot == slot)
        #expect(redirection.address == self.address(host, port))
    }

    @Test(arguments: [
        "MOVED", "MOVED 1", "MOVED 16384 h:1", "MOVED -1 h:1", "MOVED 1 h", "MOVED 1 h:", "MOVED 1 h:0",
        "MOVED 1 h:65536", "MOVED 1 h:99999999999999999999", "MOVED 1 h:1 x", "MOVED  1 h:1", "MOVED x h:1",
        "MOVED 1 ?:1", "MOVED 1 a/b:1", "MOVED 1 g::1:1", "MOVED 1 \u{7}:1",
    ])
    func `a redirection to nowhere is none`(text: String) { #expect(Redirection(text, from: self.asked) == nil) }
}
