// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `semcache eval` and `tune` against a real service.
@Suite(.timeLimit(.minutes(5)))
struct EvalTests {
    private static let subjects = [
        "my password", "the dark mode", "an invoice", "the shipping address", "a refund", "my subscription",
        "two-factor login", "the weekly report", "a broken screen", "the opening hours", "my phone number",
        "the loyalty card", "a birthday voucher", "the parking permit", "my data export", "an old order",
        "the news letter", "a lost parcel", "the annual fee", "my tax form",
    ]

    private static let wordings = [
        "How do I change %?", "how can i change %", "I would like to change %", "please tell me how to change %",
        "What do I have to do to change %?", "changing %, how?", "Can you help me change %?", "I need to change %",
        "where can I change %", "Is it possible to change % and how?",
    ]

    /// 200 questions, ten wordings of each of twenty.
    private static var stream: String {
        let lines = self.wordings.flatMap { wording in
            self.subjects.enumerated().map { label, subject in
                "\(wording.replacingOccurrences(of: "%", with: subject))\tintent-\(label)"
            }
        }
        return (["query\tintent"] + lines).joined(separator: "\n") + "\n"
    }

    private struct Report: Decodable {
        struct Share: Decodable {
            let count: Int
            let share: Double
        }

        struct Summary: Decodable {
            let lookups: Int
            let hits: Share
            let wrong_per_lookup: Share
        }

        struct Order: Decodable {
            let cache: String
            let whole: Summary
            let curve: [Summary]
            let stored: Int
            let misses: [String: Int]
        }

        let questions: Int
        let labels: Int
        let orders: [Order]
        let whole: Summary
        let violations: [String]
    }

    private func file(_ text: String, in service: RunningService) throws -> String {
        let path = service.folder.appendingPathComponent("stream-\(UUID().uuidString)")
        try text.write(to: path, atomically: true, encoding: .utf8)
        return path.path
    }

    private func report(_ result: ProgramResult) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    }

    @Test func `a stream of 200 questions is played in two orders`() async throws {
        let service = try await RunningService()
        let file = try self.file(Self.stream, in: service)
        let played = try await service.semcache("eval", file, "--orders", "2", "--clean", "--json")
        #expect(played.status == 0, "\(played.errors)")
        let report = try self.report(played)
        #expect(report.questions == 200 && report.labels == 20 && report.orders.count == 2)
        for order in report.orders {
            #expect(order.whole.lookups == 200 && order.curve.map { $0.lookups }.reduce(0, +) == 200)
            // Whatever is not served is stored; the first question of each label cannot be right.
            #expect(order.whole.hits.count + order.stored == 200)
            #expect(order.misses.values.reduce(0, +) == order.stored && order.stored >= 20)
        }
        #expect(report.orders[0].cache != report.orders[1].cache)
        let left = try await service.semcache("stats", "--cache", report.orders[0].cache, "--json")
        #expect(left.output.contains(#""entries":0"#), "\(left.output)")
    }

    @Test func `a requirement that is not met ends with 1, and a cache that is not empty with 2`() async throws {
        let service = try await RunningService()
        let file = try self.file(Self.stream, in: service)
        let strict = try await service.semcache(
            "eval", file, "--limit", "20", "--cache", "one", "--require", "hits>=100%,wrong<=100%")
        #expect(strict.status == 1 && strict.errors.contains("required: hits >= 100.00 %"), "\(strict.errors)")
        let again = try await service.semcache("eval", file, "--limit", "20", "--cache", "one")
        #expect(again.status == 2 && again.errors.contains("entries already"), "\(again.errors)")
        let lax = try await service.semcache(
            "eval", file, "--limit", "20", "--cache", "two", "--require", "hits>=0%", "--then", file)
        #expect(lax.status == 0 && lax.output.contains("FILES"), "\(lax.errors)")
    }

    @Test func `what may not be removed ends with 2, below the report`() async throws {
        let key = try await Programs.newKey()
        let service = try await RunningService(
            file: """
                tenants:
                  - name: acme
                    create_caches: true
                    api_keys: [{sha256: \(key.digest), roles: [read, write]}]
                """)
        let file = try self.file(Self.stream, in: service)
        let played = try await service.semcache(
            key: key.key, "eval", file, "--limit", "20", "--clean", "--json", "--require", "hits>=100%")
        #expect(played.status == 2 && played.errors.contains("is not cleaned"), "\(played.errors)")
        #expect(try self.report(played).whole.lookups == 20)
    }

    @Test func `a drawing that cannot be written is refused before anything is done`() async throws {
        let service = try await RunningService()
        let tuned = try await service.semcache(
            "tune", "--pairs", "/no/such/pairs", "--plot", "/no/such/folder/plot.svg")
        #expect(tuned.status == 2 && tuned.errors.contains("cannot write"), "\(tuned.errors)")
    }

    @Test func `with many calls under way nothing is lost, and wrong labels do not change what is right`() async throws
    {
        let service = try await RunningService()
        let file = try self.file(Self.stream, in: service)
        let played = try await service.semcache(
            "eval", file, "--in-flight", "16", "--wrong-labels", "100%", "--threshold", "0.99", "--json")
        let report = try self.report(played)
        #expect(report.whole.lookups == 200, "\(played.errors)")
        // Hardly anything is that similar but the same question: what is served was stored for its own label.
        #expect(report.whole.wrong_per_lookup.share < 0.05)
    }

    @Test func `pairs of questions are tuned, and drawn`() async throws {
        let service = try await RunningService()
        let same: [String] = Self.subjects.map { "How do I change \($0)?\thow can i change \($0)\t1" }
        let other: [String] = Self.subjects.map { "How do I change \($0)?\tHow do I not change \($0)?\t0" }
        let text = (["a\tb\tsame"] + same + other).joined(separator: "\n")
        let file = try self.file(text, in: service)
        let plot = service.folder.appendingPathComponent("plot.svg").path
        let tuned = try await service.semcache("tune", "--pairs", file, "--plot", plot)
        #expect(tuned.status == 0 && tuned.output.hasPrefix("40 pairs"), "\(tuned.errors)")
        let drawn = try String(contentsOfFile: plot, encoding: .utf8)
        #expect(drawn.contains("<polyline"))
    }

    @Test func `a bad line ends with 2 and names its number`() async throws {
        let service = try await RunningService()
        let result = try await service.semcache(
            "eval", "-", input: "query\tlabel\nfine\tx\nno tab\n")
        #expect(result.status == 2)
        #expect(result.errors.contains("the standard input, line 3: has no tab"), "\(result.errors)")
    }
}
