// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

@Suite struct FeedbackWireTests {
    private static let entry = EntryID(high: 1, low: 2)
    /// What every Feedback has.
    private static let head = ProtobufBytes().text(1, "faq").text(2, entry.description).varint(3, 2)

    private static func request(_ fields: ProtobufBytes) throws -> Result<ServiceRequest, CacheError> {
        guard case .call(let call) = try ClientMessageDecoder().decode(ProtobufBytes.call(16, fields).bytes) else {
            throw CacheError(.internal, "not a call")
        }
        return call.request
    }

    @Test func `a request by the prompt is written and read as the schema says`() throws {
        let question = FeedbackRequest.Question.prompt(
            .text(try CanonicalPrompt("why?")), vary: [VaryPart(name: "model", value: "m")], embedding: [1])
        let request = FeedbackRequest(cache: "faq", entry: Self.entry, question: question, verdict: .wrong)
        let fields = Self.head.text(4, "why?").message(6, ProtobufBytes().text(1, "model").text(2, "m"))
            .message(7, ProtobufBytes().floats(1, [1]))
        let call = Call(id: 1, request: .success(.feedback(request)))
        #expect(Encoded().body(of: .call(call)) == ProtobufBytes.call(16, fields).bytes)
        #expect(try Self.request(fields) == .success(.feedback(request)))
    }

    @Test func `a request by the chat is written and read as the schema says`() throws {
        let question = FeedbackRequest.Question.prompt(
            .chat([ChatMessage(role: "user", content: "why?")]), vary: [], embedding: nil)
        let request = FeedbackRequest(cache: "faq", entry: Self.entry, question: question, verdict: .wrong)
        let fields = Self.head.message(5, .said("user", "why?"))
        let call = Call(id: 1, request: .success(.feedback(request)))
        #expect(Encoded().body(of: .call(call)) == ProtobufBytes.call(16, fields).bytes)
        #expect(try Self.request(fields) == .success(.feedback(request)))
    }

    @Test func `a request by the lookup is written and read as the schema says`() throws {
        let request = FeedbackRequest(
            cache: "faq", entry: Self.entry, question: .lookup(LookupID(bytes: [0, 0xff, 7])), verdict: .wrong)
        let fields = Self.head.data(8, [0, 0xff, 7])
        let call = Call(id: 1, request: .success(.feedback(request)))
        #expect(Encoded().body(of: .call(call)) == ProtobufBytes.call(16, fields).bytes)
        #expect(try Self.request(fields) == .success(.feedback(request)))
    }

    @Test func `an answer is written and read as the schema says`() throws {
        for (outcome, fields) in [
            (FeedbackOutcome(isBlocked: true, isLearnt: false), ProtobufBytes().varint(1, 1)),
            (FeedbackOutcome(isBlocked: false, isLearnt: true), ProtobufBytes().varint(2, 1)),
        ] {
            let reply = Reply(id: 1, result: .success(.feedback(outcome)))
            let body = Encoded().body(of: .reply(reply))
            #expect(body == ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(16, fields)).bytes)
            #expect(try ServerMessageDecoder().decode(body) == .reply(reply))
        }
    }

    private static let besides = "lookup_id is given besides prompt, messages, vary or embedding, which it stands for"
    private static func long(_ count: Int) -> [UInt8] { Array(repeating: 1, count: count) }

    static let refusals: [Refusal] = [
        Refusal(.call(16, head.text(1, "").text(4, "q")), "cache is empty", field: "cache"),
        Refusal(.call(16, head), "prompt is missing: give one of prompt, messages and lookup_id", field: "prompt"),
        Refusal(
            .call(16, head.message(6, ProtobufBytes().text(1, "n"))),
            "prompt is missing: give one of prompt, messages and lookup_id", field: "prompt"),
        Refusal(.call(16, head.text(4, "  ")), "prompt is empty", field: "prompt"),
        Refusal(
            .call(16, head.text(4, "q").message(5, .said("user", "q"))),
            "messages is given besides prompt; give one of the two", field: "messages"),
        Refusal(.call(16, head.text(4, "q").data(8, [1])), besides, field: "lookup_id"),
        Refusal(.call(16, head.message(5, .said("user", "q")).data(8, [1])), besides, field: "lookup_id"),
        Refusal(.call(16, head.message(6, ProtobufBytes().text(1, "n")).data(8, [1])), besides, field: "lookup_id"),
        Refusal(
            .call(16, head.message(7, ProtobufBytes().floats(1, [1])).data(8, [1])), besides, field: "lookup_id"),
        Refusal(
            .call(16, head.data(8, long(513))), "lookup_id has 513 bytes, the limit is 512", field: "lookup_id"),
        Refusal(
            .call(16, ProtobufBytes().text(1, "c").varint(3, 1).text(4, "q")),
            "entry_id is not 32 lower-case hexadecimal digits", field: "entry_id"),
        Refusal(
            .call(16, head.text(2, entry.description.dropLast() + "A").text(4, "q")),
            "entry_id is not 32 lower-case hexadecimal digits", field: "entry_id"),
        Refusal(
            .call(16, ProtobufBytes().text(1, "c").text(2, entry.description).text(4, "q")),
            "verdict is missing: VERDICT_RIGHT or VERDICT_WRONG", field: "verdict"),
        Refusal(
            .call(16, head.varint(3, 3).text(4, "q")),
            "verdict is unknown: it must be VERDICT_RIGHT or VERDICT_WRONG", field: "verdict"),
        Refusal(
            .call(16, head.varint(3, UInt64.max).text(4, "q")),
            "verdict is unknown: it must be VERDICT_RIGHT or VERDICT_WRONG", field: "verdict"),
        Refusal(
            .call(16, head.text(4, "q").repeated(33) { $0.message(6, ProtobufBytes().text(1, "n")) }),
            "vary has 33 elements, the limit is 32", field: "vary"),
    ]

    @Test(arguments: refusals) func `what cannot be served is refused with its field`(refusal: Refusal) throws {
        guard case .call(let call) = try ClientMessageDecoder().decode(refusal.request.bytes) else {
            Issue.record("not a call")
            return
        }
        let error = CacheError(.invalidArgument, refusal.message, field: refusal.field)
        #expect(call.request == .failure(error))
    }

    @Test func `a lookup id of the greatest length is taken`() throws {
        #expect(throws: Never.self) { try Self.request(Self.head.data(8, Self.long(512))).get() }
    }
}

/// What a Lookup and Stats say of decisions.
@Suite struct DecisionWireTests {
    private static func lookup(_ fields: ProtobufBytes) throws -> LookupOutcome {
        let reply = ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(8, fields))
        guard case .reply(let decoded) = try ServerMessageDecoder().decode(reply.bytes),
            case .lookup(let outcome) = try decoded.result.get()
        else { throw CacheError(.internal, "not a lookup") }
        return outcome
    }

    private static func miss(_ fields: ProtobufBytes) throws -> LookupMiss {
        guard case .miss(let miss) = try self.lookup(ProtobufBytes().varint(1, 3).message(4, fields)) else {
            throw CacheError(.internal, "not a miss")
        }
        return miss
    }

    private static let reasons: [(reason: LookupMiss.Reason, number: UInt64)] =
        [(.tooRisky, 8), (.blocked, 9), (.judged, 10), (.shadow, 11), (.audited, 12)]
        + Guard.allCases.map { (.guarded($0), 7) }

    @Test(arguments: reasons) func `a refusal is written as the schema says`(
        reason: LookupMiss.Reason, number: UInt64
    ) {
        var miss = LookupMiss(reason: reason, similarityThreshold: 0.5)
        miss.decision = DecisionExplanation(kind: .calibrated, risk: 0, riskLimit: 0.25)
        var fields = ProtobufBytes().varint(1, number).float(6, 0.5)
        if case .guarded(let name) = reason { fields = fields.text(7, name.rawValue) }
        fields = fields.message(8, ProtobufBytes().text(1, "calibrated").float(2, 0).float(3, 0.25))
        let body = Encoded().body(of: .reply(Reply(id: 1, result: .success(.lookup(.miss(miss))))))
        let response = ProtobufBytes().varint(1, 3).message(4, fields)
        #expect(body == ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(8, response)).bytes)
    }

    @Test func `a guard that this client does not know has refused all the same`() throws {
        #expect(try Self.miss(ProtobufBytes().varint(1, 7).text(7, "newest")).reason == .tooRisky)
        #expect(try Self.miss(ProtobufBytes().varint(1, 7).data(7, [0xff])).reason == .tooRisky)
    }

    @Test func `a miss for a reason that this client does not know is a plain miss`() throws {
        let id = EntryID(high: 1, low: 2)
        // None, one of a newer server, one that no enumeration has, and a trouble of a newer server.
        let reasons = [
            ProtobufBytes(), ProtobufBytes().varint(1, 99), ProtobufBytes().varint(1, .max),
            ProtobufBytes().varint(1, 5).varint(2, 99), ProtobufBytes().varint(1, 5),
        ]
        for reason in reasons {
            let fields = reason.float(3, 0.25).text(4, id.description).float(6, 0.5)
            let nearest = NearestMiss(id: id, similarity: 0.25, isApproximate: false)
            #expect(
                try Self.miss(fields)
                    == LookupMiss(reason: .belowThreshold, nearest: nearest, similarityThreshold: 0.5))
        }
        #expect(try Self.miss(ProtobufBytes().varint(1, 99)).nearest == nil)
    }

    @Test func `a policy that this client does not know is left out`() throws {
        let miss = try Self.miss(
            ProtobufBytes().varint(1, 8).message(8, ProtobufBytes().text(1, "newest").float(2, 0.5)))
        #expect(miss.decision == nil && miss.reason == .tooRisky)
    }

    @Test(arguments: [Float.nan, .infinity, -0.5, 1.5]) func `a risk that is none is left out`(risk: Float) throws {
        let decision = ProtobufBytes().text(1, "threshold").float(2, risk).float(3, risk)
        let miss = try Self.miss(ProtobufBytes().varint(1, 8).message(8, decision))
        #expect(miss.decision == DecisionExplanation(kind: .threshold))
    }

    @Test func `a lookup id over its limit is no answer`() throws {
        let hit = ProtobufBytes().varint(1, 2)
            .message(3, ProtobufBytes().text(1, EntryID(high: 1, low: 2).description).data(3, [1]))
        #expect(throws: WireError.self) { try Self.lookup(hit.data(7, Array(repeating: 1, count: 513))) }
        guard case .hit(let found) = try Self.lookup(hit.data(7, [9])) else {
            Issue.record("not a hit")
            return
        }
        #expect(found.lookup == LookupID(bytes: [9]))
    }

    private static func statistics(_ fields: ProtobufBytes) throws -> DecisionStatistics {
        let stats = ProtobufBytes().message(1, ProtobufBytes().text(1, "c").message(23, fields))
        let reply = ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(11, stats))
        guard case .reply(let decoded) = try ServerMessageDecoder().decode(reply.bytes),
            case .stats(let statistics) = try decoded.result.get()
        else { throw CacheError(.internal, "no statistics") }
        return statistics.caches[0].decision
    }

    @Test func `what statistics say that is no share is 0`() throws {
        let decision = try Self.statistics(
            ProtobufBytes().varint(1, 3).double(2, .nan).double(3, -1).double(8, 2).double(9, 0.5))
        #expect(decision.phase == .calibrated && decision.wrongPerHit == 0.5)
        #expect([decision.errorBudget, decision.wrongHitLimit, decision.wrongPerLookup] == [0, 0, 0])
    }

    @Test func `a phase that this client does not know is none that it can tell`() throws {
        #expect(try Self.statistics(ProtobufBytes().varint(1, 99)).phase == .unavailable)
    }

    @Test func `reasons of refusals are bounded`() throws {
        let refusals = { (names: [[UInt8]]) in
            names.reduce(ProtobufBytes().varint(1, 1)) { $0.message(15, ProtobufBytes().data(1, $1).varint(2, 5)) }
        }
        let letters = { Array(repeating: UInt8(0x61), count: $0) }
        let told = try Self.statistics(refusals([letters(64), letters(65), [0xff]])).refusals
        #expect(told == [String(repeating: "a", count: 64): 5], "what is too long or no text is left out")
        let many = try Self.statistics(refusals((1...60).map { letters($0) }))
        #expect(many.refusals.count == Limits.maximumRefusalReasons)
    }

    @Test func `statistics of as many caches as are told fit into a frame`() throws {
        var random = SeededGenerator(31)
        var statistics = ServiceStatistics()
        let decision = random.decisionStatistics()
        statistics.caches = (0..<Limits.maximumCachesInStats).map { number in
            var cache = CacheStatistics(cache: "a cache of a tenant with many of them, number \(number)")
            cache.decision = decision
            return cache
        }
        let reply = Reply(id: 1, result: .success(.stats(statistics)))
        let body = Encoded().body(of: .reply(reply))
        #expect(body.count <= Limits.maximumFrameBytes)
        guard case .reply(let decoded) = try ServerMessageDecoder().decode(body),
            case .stats(let told) = try decoded.result.get()
        else {
            Issue.record("no statistics")
            return
        }
        #expect(told.caches.count == Limits.maximumCachesInStats)
        #expect(told.caches.prefix { $0.decision == decision }.count == Limits.maximumDecisionsInStats)
    }
}
