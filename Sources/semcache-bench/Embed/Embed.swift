// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CKernels
import LocalEmbedder

/// The encoder and its pool, in this process.
struct Embed: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the encoder of this process, its pool, and the pool when too much is asked of it.",
        discussion: """
            Without a mode, times ids to vector on one pinned thread, for all precisions in turns, and compares their \
            vectors with those of fp32.
            --pool measures texts per second through the pool with several numbers of threads, in turns.
            --overload offers the pool a multiple of what it can do, whatever it makes of it.
            --pipe encodes what comes on the standard input, one JSON object per line, and tells how long it took: \
            Tests/EmbeddingPeers/run compares it with other runtimes.
            """)

    @OptionGroup var common: CommonOptions

    @Flag(help: "Measures the pool's throughput.")
    var pool = false

    @Flag(help: "Measures the pool under overload.")
    var overload = false

    @Flag(help: "Serves another program on the standard input and output.")
    var pipe = false

    @Option(help: "The precision of --pool, --overload and --pipe.")
    var precision = MiniLMEncoder.Precision.int16

    @Option(help: "The path of the kernels, without a mode and for --pipe; the best of this machine if not given.")
    var isa: InstructionSet?

    @Option(help: "The core to run on, without a mode and for --pipe.")
    var core = 0

    @Option(help: "Lengths of the texts, in tokens.")
    var tokens = NumberList([8, 12, 16, 32, 64, 128, 256])

    @Option(help: "Rounds, each of which measures everything; one more before them is not counted.")
    var rounds = 9

    @Option(help: "A file of questions, one per line, whose vectors are compared; made up ones if not given.")
    var questions: String?

    @Option(help: "Threads of the pool; --overload takes the first.")
    var threads = NumberList([1, 2])

    @Option(help: "Seconds of a measurement of --pool; five times as many for --overload.")
    var seconds = 2.0

    @Option(help: "How much of what the pool can do --overload offers.")
    var factor = 10.0

    @Option(help: "Milliseconds until a call of --overload is no longer wanted.")
    var deadline = 200

    func validate() throws {
        guard [self.pool, self.overload, self.pipe].filter({ $0 }).count <= 1 else {
            throw ValidationError("at most one of --pool, --overload and --pipe can be given")
        }
        guard !(self.pool || self.overload) || self.isa == nil else {
            throw ValidationError("--isa is for the encoder alone and for --pipe")
        }
        guard self.tokens.values.allSatisfy({ (2...MiniLMEncoder.maximumTokens).contains($0) }) else {
            throw ValidationError("a text has 2…\(MiniLMEncoder.maximumTokens) tokens")
        }
        guard self.threads.values.allSatisfy({ (1...256).contains($0) }) else {
            throw ValidationError("a pool has 1…256 threads")
        }
        guard (1...1000).contains(self.rounds), (1...60_000).contains(self.deadline) else {
            throw ValidationError("there are 1…1000 rounds and a deadline is 1…60,000 ms")
        }
        guard self.seconds > 0, self.seconds <= 600, self.factor > 0, self.factor <= 1000 else {
            throw ValidationError("seconds are positive and at most 600, a factor is positive and at most 1000")
        }
    }

    func run() throws {
        if self.pipe { return try EncoderPipe(options: self).run() }
        try Machine.printFacts(asJSON: self.common.json)
        if self.pool { return try PoolRate(options: self).run() }
        if self.overload { return try PoolOverload(options: self).run() }
        try EncoderTable(options: self).run()
    }

    var kernels: ck_isa { self.isa?.value ?? ck_isa_best() }
}

extension MiniLMEncoder.Precision: ExpressibleByArgument {}

/// A path of the kernels that this machine can take.
struct InstructionSet: ExpressibleByArgument, Sendable {
    let value: ck_isa

    private static var supported: [ck_isa] {
        [CK_ISA_AVX512VNNI, CK_ISA_AVX512, CK_ISA_AVX2, CK_ISA_NEON, CK_ISA_SCALAR].filter { ck_isa_supported($0) != 0 }
    }

    static var allValueStrings: [String] { Self.supported.map { String(cString: ck_isa_name($0)) } }

    init?(argument: String) {
        guard let isa = Self.supported.first(where: { String(cString: ck_isa_name($0)) == argument }) else {
            return nil
        }
        self.value = isa
    }
}
