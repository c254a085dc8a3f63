// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation

/// Times of the parts, in this process, on one pinned thread.
struct Micro: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Times the parts: tokenizer, encoder, wire, memory.")

    @OptionGroup var common: CommonOptions

    @Option(help: "The core to run on.")
    var core = 0

    @Option(help: "Rounds; best and median of them are printed.")
    var rounds = 9

    @Option(help: "Milliseconds of a round at least.")
    var milliseconds = 30

    @Option(help: "Lengths of the texts to encode, in tokens.")
    var tokens = NumberList([8, 12, 16, 32, 64, 128])

    @Option(help: "A file of questions, one per line, to time the tokenizer on.")
    var questions: String?

    @Flag(help: "Leaves out what needs the model.")
    var withoutModel = false

    func validate() throws {
        guard self.rounds > 0, self.milliseconds > 0 else { throw ValidationError("rounds and times are positive") }
        guard self.tokens.values.allSatisfy({ (2...256).contains($0) }) else {
            throw ValidationError("a text has 2…256 tokens")
        }
    }

    func run() throws {
        try Machine.printFacts(asJSON: self.common.json)
        try Machine.pinThread(to: self.core)
        let watch = Stopwatch(rounds: self.rounds, roundLength: UInt64(self.milliseconds) * 1_000_000)
        try WireTimes(watch: watch, core: self.core).table().print(asJSON: self.common.json)
        guard !self.withoutModel else { return }
        let files = try Corpus.modelFiles(self.common.model)
        let model = try ModelTimes(watch: watch, core: self.core, files: files)
        try model.tokenizerTable(questions: self.questions).print(asJSON: self.common.json)
        try model.encoderTable(lengths: self.tokens.values).print(asJSON: self.common.json)
    }
}
