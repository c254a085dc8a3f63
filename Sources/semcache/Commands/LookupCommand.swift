// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct LookupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lookup",
        abstract: "Finds the stored answer to a prompt that means the same.",
        discussion: """
            Prints the answer, and to the standard error why it was served, or why nothing was.
            Exit codes: 0 hit, 1 miss or bypass, 2 error.
            """)

    @Argument(help: "The prompt; - reads it from the standard input.")
    var prompt: String?

    @OptionGroup var chat: ChatOptions
    @OptionGroup var cache: CacheOptions
    @OptionGroup var vary: VaryOptions

    @Option(help: "Find only entries whose attributes it takes, such as 'lang == \"de\" and not draft'.")
    var filter: String?

    @Option(help: "Least similarity of a match, -1 to 1 (default: the cache's).")
    var threshold: Float?

    @Option(help: "The threshold given as 1 - similarity, 0 to 2.")
    var distance: Float?

    @Option(help: "How many matches to show at most.")
    var topK = 1

    @Option(help: "Serve no entry older than this, such as 1h.")
    var maxAge: DurationText?

    @Option(help: "Where to look: both, exact or semantic.")
    var mode = LookupModeText(mode: .both)

    @Option(help: "Ask for the lease on making the answer, for this long, such as 30s.")
    var lease: DurationText?

    @Flag(help: "With --lease: wait while another makes the answer, until shortly before --timeout.")
    var wait = false

    @OptionGroup var server: ServerOptions

    func validate() throws {
        guard (self.prompt != nil) != self.chat.isGiven else {
            throw ValidationError("Give a prompt, or a chat with --message or --messages.")
        }
        guard self.lease != nil || !self.wait else { throw ValidationError("--wait needs --lease.") }
        _ = try Similarity.from(similarity: self.threshold, distance: self.distance, option: "--threshold")
        _ = try self.vary.parts()
    }

    func run() async throws {
        let asked = try self.chat.asked(orText: self.prompt)
        let threshold = try Similarity.from(
            similarity: self.threshold, distance: self.distance, option: "--threshold")
        let vary = try self.vary.parts()
        let lease = self.lease.map { CacheLeaseWish.acquire(for: $0.duration) } ?? .none
        let waits: CacheWait = self.wait ? .untilTimeout : .no
        let (answer, elapsed) = try await self.server.withClient { client in
            // Connects first, so that the time shown is the lookup's own.
            _ = try await client.ping()
            let start = ContinuousClock.now
            let answer =
                switch asked {
                case .text(let prompt):
                    try await client.lookup(
                        prompt, in: self.cache.cache, vary: vary, filter: self.filter, similarityThreshold: threshold,
                        topK: self.topK, maximumAge: self.maxAge?.duration, mode: self.mode.mode,
                        lease: lease, waits: waits)
                case .chat(let messages):
                    try await client.lookup(
                        messages, in: self.cache.cache, vary: vary, filter: self.filter,
                        similarityThreshold: threshold, topK: self.topK, maximumAge: self.maxAge?.duration,
                        mode: self.mode.mode, lease: lease, waits: waits)
                }
            return (answer, ContinuousClock.now - start)
        }
        if self.server.json {
            Output.line(JSONText.line(AnswerObject(answer, elapsed: elapsed)))
        } else {
            Self.printText(answer)
        }
        if answer.hit == nil { throw ExitStatus.miss }
    }

    private static func printText(_ answer: CacheAnswer) {
        switch answer {
        case .hit(let hit):
            for (position, match) in hit.matches.enumerated() {
                Output.bytes(match.response)
                Output.error(Explanation.line(hit, match, position: position))
            }
            if let line = Explanation.line(hit.lookupID) { Output.error(line) }
            if let line = Explanation.line(hit.lease, underWay: hit.fillUnderWay) { Output.error(line) }
        case .miss(let miss):
            Output.error(Explanation.line(miss))
            if let line = Explanation.line(miss.lease, underWay: miss.fillUnderWay) { Output.error(line) }
        case .bypass(let bypass):
            Output.error(Explanation.line(bypass))
        }
    }
}

struct LookupModeText: ExpressibleByArgument {
    let mode: CacheLookupMode

    init(mode: CacheLookupMode) { self.mode = mode }

    init?(argument: String) {
        guard let mode = CacheLookupMode(rawValue: argument) else { return nil }
        self.mode = mode
    }

    var defaultValueDescription: String { self.mode.rawValue }
    static var allValueStrings: [String] { CacheLookupMode.allCases.map { $0.rawValue } }
}
