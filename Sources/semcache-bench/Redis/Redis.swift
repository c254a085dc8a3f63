// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import RedisStore

/// The store in a Redis with vector sets: `--round-trip`, `--recall` or `--memory`.
struct Redis: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the store that keeps entries in Redis, against a running Redis with vector sets.",
        discussion: """
            --round-trip times the store's searches beside a bare VSIM of the same arguments, its reads beside HGET.
            --recall compares what the store finds, with and without filters, with brute force over all vectors.
            --memory says what an entry takes in Redis, beside the same data in the hashes of redisvl's SemanticCache.
            Everything is in a tenant of its own, which is removed in the end; nobody else should use that Redis.
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: "The Redis: redis://HOST:PORT, with an IPv4 address.")
    var url: String

    @Flag(help: "Times searches and reads beside bare commands.")
    var roundTrip = false

    @Flag(help: "Compares what is found with brute force.")
    var recall = false

    @Flag(help: "Measures the memory of an entry.")
    var memory = false

    @Option(help: "A file of questions, one per line.")
    var questions: String

    @Option(help: "A file that keeps the questions' vectors (fp32) from one run to the next.")
    var vectors: String?

    @Option(
        help:
            "Entries: 20,000, but 100,000 for --recall, where neighbours of questions come up for what the file lacks.")
    var count: Int?

    @Option(help: "Queries.")
    var queries = 2000

    @Option(help: "Rounds of --round-trip, each of which asks all of the queries; one more before them is not counted.")
    var rounds = 3

    @Option(help: "Calls in flight, for --round-trip.")
    var depths = NumberList([1, 16])

    @Option(help: "Least similarities; --round-trip takes the first.")
    var thresholds = NumberList<Float>([0.85, 0.92])

    @Option(help: "Bytes of a response; --memory measures each, the others take the first.")
    var responseBytes = NumberList([200, 2000])

    @Option(help: "How vectors are kept in Redis.")
    var quantization = VectorQuantization.none

    @Option(help: "The core of this process once the questions are embedded; Redis should be on another.")
    var clientCore: Int?

    var entries: Int { self.count ?? (self.recall ? 100_000 : 20_000) }

    func validate() throws {
        guard [self.roundTrip, self.recall, self.memory].filter({ $0 }).count == 1 else {
            throw ValidationError("one of --round-trip, --recall and --memory must be given")
        }
        guard self.entries > 0, self.queries > 0, self.rounds > 0 else {
            throw ValidationError("entries, queries and rounds are positive")
        }
        guard self.depths.values.allSatisfy({ (1...256).contains($0) }) else {
            throw ValidationError("a depth is 1…256")
        }
        guard self.responseBytes.values.allSatisfy({ $0 > 0 }) else {
            throw ValidationError("a response has bytes")
        }
    }

    func run() throws {
        try Machine.printFacts(asJSON: self.common.json)
        let questions = try EmbeddedQuestions(
            file: self.questions, vectors: self.vectors, model: self.common.model,
            limit: self.memory ? self.entries : self.entries + self.queries)
        // Threads that are started from here on inherit it.
        if let core = self.clientCore { try Machine.pinThread(to: core) }
        let tenant = try RedisTenant(url: self.url, quantization: self.quantization)
        do {
            if self.roundTrip {
                try RoundTrip(options: self, tenant: tenant, questions: questions).run()
            } else if self.recall {
                try StoreRecall(options: self, tenant: tenant, questions: questions).run()
            } else {
                try EntryMemory(options: self, tenant: tenant, questions: questions).run()
            }
        } catch {
            try? tenant.close()
            throw error
        }
        try tenant.close()
    }
}

extension VectorQuantization: ExpressibleByArgument {}
