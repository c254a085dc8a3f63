// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import RedisClient

@Suite struct RetryPlanTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private static let asked = RedisAddress(host: "h", port: 6379)
    private let redirection = Redirection("MOVED 5 b:7000", from: Self.asked)!

    private func plan(_ time: TimeAmount = .seconds(1), patience: TimeAmount = .seconds(5)) -> RetryPlan {
        RetryPlan(deadline: Self.start + time, patience: patience)
    }

    private static func refusal(_ text: String) -> RedisError {
        RedisError(.refused, "", reply: RESPServerError(text: text))
    }

    @Test func `waits double up to a limit, half of each by chance`() {
        for (jitter, factor) in [(0.0, 1), (1.0, 2)] {
            var plan = self.plan(.seconds(60))
            let waits = (0..<8).map { _ in
                plan.next(after: .tryAgain, troubleAge: nil, now: Self.start, jitter: jitter)
            }
            let half = [5, 10, 20, 40, 80, 125, 125, 125]
            #expect(waits == half.map { .again(after: .milliseconds(Int64($0 * factor))) })
        }
    }

    @Test func `nothing is tried again that would begin after the deadline`() {
        var plan = self.plan(.milliseconds(10))
        let early = plan.next(after: .tryAgain, troubleAge: nil, now: Self.start, jitter: 0)
        #expect(early == .again(after: .milliseconds(5)))
        let late = Self.start + .milliseconds(5)
        #expect(plan.next(after: .tryAgain, troubleAge: nil, now: late, jitter: 0) == .fail)
    }

    @Test func `young trouble is waited for, old trouble is not`() {
        var plan = self.plan()
        let young = plan.next(after: .tryAgain, troubleAge: .seconds(5), now: Self.start, jitter: 0)
        #expect(young == .again(after: .milliseconds(5)))
        #expect(plan.next(after: .tryAgain, troubleAge: .milliseconds(5001), now: Self.start, jitter: 0) == .fail)
    }

    @Test func `redirections are followed, but not in circles without a pause`() {
        var plan = self.plan()
        for _ in 0..<2 {
            for _ in 0..<RedisLimits.maximumRedirections {
                let step = plan.next(after: .move(self.redirection), troubleAge: nil, now: Self.start, jitter: 0)
                #expect(step == .follow(self.redirection.address, isAsking: false))
            }
            guard case .again = plan.next(after: .ask(self.redirection), troubleAge: nil, now: Self.start, jitter: 0)
            else {
                Issue.record("it did not wait")
                return
            }
        }
        let step = plan.next(after: .ask(self.redirection), troubleAge: nil, now: Self.start, jitter: 0)
        #expect(step == .follow(self.redirection.address, isAsking: true))
    }

    @Test func `trouble ages from its first failure, ends with a success and is forgotten in time`() {
        var trouble = Trouble()
        #expect(trouble.failed(at: Self.start) == .zero)
        #expect(trouble.failed(at: Self.start + .seconds(3)) == .seconds(3))
        #expect(trouble.failed(at: Self.start - .seconds(1)) == .zero)
        trouble.passed()
        #expect(trouble.failed(at: Self.start + .seconds(4)) == .zero)
        #expect(trouble.failed(at: Self.start + .seconds(20)) == .seconds(16))
        #expect(trouble.failed(at: Self.start + .seconds(20) + RedisLimits.troubleMemory) == .zero)
    }

    @Test(arguments: [
        ("MOVED 5 b:7000", true), ("TRYAGAIN Multiple keys request during rehashing of slot", true),
        ("CLUSTERDOWN Hash slot not served", true), ("LOADING Redis is loading the dataset in memory", true),
        ("MASTERDOWN Link with MASTER is down", true), ("READONLY You can't write against a read only replica.", true),
        ("NOREPLICAS Not enough good replicas to write.", true), ("BUSY Redis is busy running a script.", true),
        ("ERR Script attempted to access a non local key in a cluster node", nil),
        ("ERR Script attempted to execute a command while the cluster is down", nil), ("MOVED", false),
        ("MISCONF Redis is configured to save RDB snapshots", false), ("OOM command not allowed", false),
        ("NOPERM User u has no permissions", false), ("WRONGPASS invalid", false), ("NOAUTH required", false),
        ("NOSCRIPT No matching script.", false), ("WRONGTYPE Operation against a key", false), ("ERR syntax", false),
        ("CROSSSLOT Keys in request don't hash to the same slot", false), ("", false),
    ])
    func `what passes by itself is tried again`(text: String, expected: Bool?) {
        for isRepeatable in [false, true] {
            let setback = Setback(
                Self.refusal(text), isRepeatable: isRepeatable, at: Self.asked, inCluster: true)
            #expect((setback.course != .giveUp) == expected ?? isRepeatable)
        }
    }

    @Test(arguments: RedisError.Code.allCases)
    func `a command that may have been executed is repeated only if that is safe`(code: RedisError.Code) {
        for isRepeatable in [false, true] {
            let setback = Setback(
                RedisError(code, ""), isRepeatable: isRepeatable, at: Self.asked, inCluster: false)
            let expected: Bool =
                switch code {
                case .unreachable: true
                case .connectionLost, .timedOut: isRepeatable
                default: false
                }
            #expect((setback.course == .tryAgain) == expected)
        }
    }

    @Test func `redirections are followed in a cluster only`() {
        let error = Self.refusal("ASK 5 b:7000")
        #expect(Setback(error, isRepeatable: true, at: Self.asked, inCluster: false).course == .giveUp)
        let setback = Setback(error, isRepeatable: false, at: Self.asked, inCluster: true)
        #expect(setback.course == .ask(self.redirection))
    }

    @Test(arguments: [
        ("OOM x", "maxmemory"), ("READONLY x", "replica"), ("MISCONF x", "disk"), ("NOPERM x", "grant"),
        ("WRONGPASS x", "password"), ("MOVED 5 h:1", "redis+cluster"), ("LOADING x", "loading"),
        ("ERR The user executing the script can't run this command or subcommand", "grant"),
        ("ERR Script attempted to access a non local key in a cluster node", "being moved"),
    ])
    func `a refusal says what to do, and nothing that the server said`(text: String, hint: String) {
        let error = Self.refusal(text + " script: hunter2").explained
        #expect(error.message.contains(hint))
        #expect(!error.message.contains("hunter2"))
        #expect(error.reply?.prefix == RESPServerError(text: text).prefix)
    }

    @Test func `a refusal without advice stays as it is`() {
        let error = RedisError(.refused, "the server refused", reply: RESPServerError(text: "WRONGTYPE x"))
        #expect(error.explained == error)
    }

    @Test func `a sentinel's answer is read, and a wrong one refused`() throws {
        func bytes(_ text: String) -> RESPValue { .bytes(ByteBuffer(string: text)) }
        let reply = RESPValue.array([bytes("10.0.0.1"), bytes("6380")])
        #expect(try SentinelReply.primary(reply, from: Self.asked) == RedisAddress(host: "10.0.0.1", port: 6380))
        #expect(try SentinelReply.primary(.null, from: Self.asked) == nil)
        for wrong: RESPValue in [
            .integer(1), .array([]), .array([bytes("h")]), .array([bytes(""), bytes("1")]),
            .array([bytes("h"), bytes("x")]), .array([bytes("h"), bytes("0")]), .array([bytes("h"), .integer(1)]),
            .array([bytes("h h"), bytes("1")]), .array([bytes("h"), bytes("1"), bytes("2")]),
        ] {
            #expect(throws: RedisError.self) { try SentinelReply.primary(wrong, from: Self.asked) }
        }
        #expect(SentinelReply.isPrimary(.array([bytes("master"), .integer(0), .array([])])))
        for other: RESPValue in [.array([bytes("slave")]), .array([]), .null, .array([.null]), bytes("master")] {
            #expect(!SentinelReply.isPrimary(other))
        }
    }
}
