// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// What the memory tier's policy is worth.
struct Memory: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures hit ratios of the memory tier's policy beside LRU and the optimum.",
        discussion: """
            Plays traces of requests: what is not there is put in. The trace "zipf" is drawn by Zipf's law, with some \
            exponents, and with weights in bytes; a file is a stream with one request per line, whose key is its last \
            column (the intent, of a stream of questions). Each is played as it is and with keys mixed in that are \
            asked for once. Sizes are parts of the weight of all keys that are asked for more often. The optimum knows \
            the future: exact where keys weigh the same (Belady), else a bound that no policy reaches (PFOO-L).
            """)

    @OptionGroup var common: CommonOptions

    @Option(help: ArgumentHelp("What to play: zipf, or files.", valueName: "zipf|file"))
    var trace: [String] = ["zipf"]

    @Option(help: "Exponents of Zipf's law.")
    var exponents = NumberList([0.7, 0.9, 1.1])

    @Option(help: "Keys of the trace zipf.")
    var keys = 100_000

    @Option(help: "Requests of the trace zipf.")
    var requests = 1_000_000

    @Option(help: "Sizes of the memory, percent of the keys; 0.1, 1, 10 for zipf and 5, 25, 50 for files if not given.")
    var sizes: NumberList<Double>?

    @Option(help: "Percent of requests, of those with a scan, whose key is asked for once.")
    var scan = 30.0

    func validate() throws {
        guard self.keys > 0, self.requests > 0 else { throw ValidationError("keys and requests are positive") }
        guard (0..<100).contains(self.scan) else { throw ValidationError("a scan has 0…100 percent") }
        guard self.sizes?.values.allSatisfy({ $0 > 0 }) ?? true else { throw ValidationError("sizes are positive") }
    }

    func run() throws {
        try Machine.printFacts(asJSON: self.common.json)
        for name in self.trace {
            let isZipf = name == "zipf"
            let sizes = self.sizes?.values ?? (isZipf ? [0.1, 1, 10] : [5, 25, 50])
            let plain = try isZipf ? self.zipf() : [RequestTrace.file(name)]
            var table = Table(
                "\(name): hits, percent of the requests",
                columns: ["trace", "keys", "requests", "memory", "LRU", "semcached", "optimum"])
            for trace in plain.flatMap({ [$0, $0.mixed(withScan: self.scan / 100)] }) {
                for size in sizes { Self.play(trace, size, into: &table) }
            }
            try table.print(asJSON: self.common.json)
        }
    }

    private func zipf() -> [RequestTrace] {
        let unweighted = self.exponents.values.map {
            RequestTrace.zipf($0, keys: self.keys, requests: self.requests)
        }
        return unweighted + unweighted.map { $0.withWeights() }
    }

    private static func play(_ trace: RequestTrace, _ size: Double, into table: inout Table) {
        let limit = max(1, Int(Double(trace.popularWeight) * size / 100))
        let areEqual = trace.weights.allSatisfy { $0 == 1 }
        func percent(_ hits: Int) -> String { (100 * Double(hits) / Double(trace.requests.count)).text(1) }
        table.add(
            trace.name, Double(trace.popular).grouped, Double(trace.requests.count).grouped, "\(size) %",
            percent(Policies.leastRecentlyUsed(trace, limit: limit)),
            percent(Policies.ours(trace, limit: limit)),
            areEqual
                ? percent(Policies.optimum(trace, limit: limit)) : "≤ " + percent(Policies.bound(trace, limit: limit)))
    }
}
