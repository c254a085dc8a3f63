// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient
import Dispatch

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Stores the prompts and responses of a file, one JSON object on each line.",
        discussion: """
            A line has "prompt" and "response" (or "response_base64"), and may have "attributes" (an object), \
            "ttl_seconds" or "expires_at", "vary" (an object), "tags" (a list), "content_type" and "usage" (an object). \
            Anything else in it is ignored. What an export wrote is read as it is; its lines of chats with a context and \
            of unknown vary parts ("vary": null) are skipped and counted, and so are expired ones. A bad line is reported \
            by its number and does not stop the rest; the exit code is then 2. Importing a file again replaces its entries.
            """)

    @Argument(help: "The file; - reads the standard input.")
    var file: String

    @OptionGroup var cache: CacheOptions

    @Option(help: "Lines under way at once.")
    var concurrency = 256

    @OptionGroup var server: ServerOptions

    func validate() throws {
        guard (1...16_384).contains(self.concurrency) else {
            throw ValidationError("--concurrency must be 1 to 16384.")
        }
    }

    func run() async throws {
        let reader = try LineReader(self.file)
        var configuration = try self.server.clientConfiguration()
        // Without a server there is nothing to wait for; one that goes away during the import may come back.
        try await CacheClient.withClient(configuration) { _ = try await $0.ping() }
        configuration.waitsForConnection = true
        let report = ImportReport(
            totalBytes: reader.totalBytes, isTerminal: Output.errorIsTerminal && !self.server.json)
        let interruption = self.endOnInterrupt(report)
        defer { interruption.cancel() }
        let client = CacheClient(configuration)
        let importer = Importer(client, cache: self.cache.cache, concurrency: self.concurrency, report: report)
        var failure: (any Error)?
        do {
            try await importer.run(reader)
        } catch {
            failure = error
        }
        await client.close()
        self.summarise(report, isComplete: failure == nil)
        if let failure { throw failure }
        if report.tally.failed > 0 { throw ExitStatus.failure }
    }

    /// Says what was done if Ctrl-C comes: what is stored stays stored.
    private func endOnInterrupt(_ report: ImportReport) -> any DispatchSourceSignal {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            self.summarise(report, isComplete: false)
            ExitStatus.end(ExitStatus.interrupted)
        }
        source.resume()
        return source
    }

    private func summarise(_ report: ImportReport, isComplete: Bool) {
        let (tally, elapsed) = report.finish()
        if self.server.json {
            Output.line(JSONText.line(ImportObject(tally, elapsed, isComplete: isComplete)))
        } else {
            Output.line(Self.summary(tally, elapsed, cache: self.cache.cache, isComplete: isComplete))
        }
    }

    static func summary(_ tally: ImportTally, _ elapsed: Duration, cache: String, isComplete: Bool) -> String {
        let seconds = max(0.001, elapsed / .seconds(1))
        let rate = NumberText.grouped(Int(Double(tally.stored) / seconds))
        var text = isComplete ? "imported " : "not complete: imported "
        text += "\(NumberText.count(tally.stored, "entry", "entries")) into \(Output.printable(cache)) in "
        text += "\(NumberText.fixed(seconds, digits: 1)) s (\(rate)/s)"
        if tally.replaced > 0 { text += ", \(NumberText.grouped(tally.replaced)) of them replaced earlier ones" }
        for reason in ImportSkip.allCases {
            guard let count = tally.skipped[reason] else { continue }
            text += "; \(NumberText.count(count, "line", "lines")) skipped (\(reason.text))"
        }
        if tally.failed > 0 { text += "; \(NumberText.count(tally.failed, "line", "lines")) failed" }
        return text
    }
}

private struct ImportObject: Encodable {
    let imported: Int
    let replaced: Int
    let failed: Int
    let skipped: [String: Int]
    let isComplete: Bool
    let seconds: Double

    enum CodingKeys: String, CodingKey {
        case imported
        case replaced
        case failed
        case skipped
        case isComplete = "complete"
        case seconds
    }

    init(_ tally: ImportTally, _ elapsed: Duration, isComplete: Bool) {
        self.imported = tally.stored
        self.replaced = tally.replaced
        self.failed = tally.failed
        self.skipped = Dictionary(uniqueKeysWithValues: tally.skipped.map { ($0.key.rawValue, $0.value) })
        self.isComplete = isComplete
        self.seconds = elapsed / .seconds(1)
    }
}
