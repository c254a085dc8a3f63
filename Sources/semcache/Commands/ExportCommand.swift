// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient
import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes the entries of a cache, one JSON object on each line, as import reads them.",
        discussion: """
            Expired entries are left out. An export that is broken off, by Ctrl-C or an error, ends with a whole line and \
            says with which --resume it goes on; the exit code is then 2, or 130 after Ctrl-C. Of a chat only the question \
            is kept: its line has a "context", and import skips it. So it does if the vary parts are not known \
            ("vary": null).
            """)

    @OptionGroup var cache: CacheOptions

    @Option(help: "Only entries whose attributes it takes, such as 'lang == \"de\" and not draft'.")
    var filter: String?

    @Option(help: "The file to write, which must not be there unless --resume is given (default: standard output).")
    var output: String?

    @Option(help: ArgumentHelp("Go on where an export of the same cache was broken off.", valueName: "cursor"))
    var resume: ExportCursorText?

    @OptionGroup var server: ServerOptions

    func run() async throws {
        var configuration = try self.server.clientConfiguration()
        // Without a server there is nothing to wait for; one that goes away during the export may come back.
        try await CacheClient.withClient(configuration) { _ = try await $0.ping() }
        configuration.waitsForConnection = true
        try await CacheClient.withClient(configuration) { try await self.export($0) }
    }

    private func export(_ client: CacheClient) async throws {
        let (start, interruption) = (ContinuousClock.now, Interruption())
        let source = Self.noteInterrupt(interruption)
        defer { source.cancel() }
        var progress = ExportProgress(cursor: self.resume?.cursor)
        // Before the file is made: most of what can be wrong shows here.
        var page = try await self.page(client, after: progress.cursor)
        let file = try ExportFile(self.output, isContinued: self.resume != nil)
        var failure: (any Error)?
        do {
            while true {
                try file.write(page.entries.flatMap { JSONText.line(ExportRecord($0)).utf8 + [0x0a] })
                progress.add(page)
                if progress.cursor == nil || interruption.isNoted { break }
                page = try await self.page(client, after: progress.cursor)
            }
            try file.sync()
        } catch {
            failure = error
        }
        self.summarise(progress, isComplete: failure == nil && progress.cursor == nil, ContinuousClock.now - start)
        if let failure { throw failure }
        if progress.cursor != nil { throw ExitStatus.interrupted }
    }

    private func page(_ client: CacheClient, after cursor: CacheExportCursor?) async throws -> CacheExportPage {
        try await Patience.call { () async throws(CacheClientError) in
            try await client.export(self.cache.cache, filter: self.filter, after: cursor)
        }
    }

    /// The page that is being read is still written; a second Ctrl-C ends the process at once.
    private static func noteInterrupt(_ interruption: Interruption) -> any DispatchSourceSignal {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            interruption.note()
            signal(SIGINT, SIG_DFL)
        }
        source.resume()
        return source
    }

    /// To where no line of the export goes.
    private func summarise(_ progress: ExportProgress, isComplete: Bool, _ elapsed: Duration) {
        if self.server.json {
            Output.error(JSONText.line(ExportObject(progress, isComplete: isComplete, elapsed)))
        } else {
            Output.error(progress.summary(cache: self.cache.cache, isComplete: isComplete, elapsed))
        }
    }
}

/// What an export has done so far.
struct ExportProgress {
    var entries = 0
    /// Those that an import will skip.
    var bound = 0
    /// Behind what is written.
    var cursor: CacheExportCursor?

    init(cursor: CacheExportCursor?) { self.cursor = cursor }

    mutating func add(_ page: CacheExportPage) {
        self.entries += page.entries.count
        self.bound += page.entries.count { $0.vary == nil || $0.context != nil }
        self.cursor = page.next
    }

    func summary(cache: String, isComplete: Bool, _ elapsed: Duration) -> String {
        var text = isComplete ? "exported " : "not complete: exported "
        text += "\(NumberText.count(self.entries, "entry", "entries")) of \(Output.printable(cache)) in "
        text += "\(NumberText.fixed(elapsed / .seconds(1), digits: 1)) s"
        if self.bound > 0 {
            text += "; \(NumberText.grouped(self.bound)) of them an import will skip: "
            text += "they are of chats with a context, or their vary parts are not known"
        }
        if !isComplete, let cursor { text += "; go on with --resume \(cursor)" }
        return text
    }
}

private struct ExportObject: Encodable {
    let exported: Int
    let cursor: String?
    let isComplete: Bool
    let seconds: Double

    enum CodingKeys: String, CodingKey {
        case exported
        case cursor
        case isComplete = "complete"
        case seconds
    }

    init(_ progress: ExportProgress, isComplete: Bool, _ elapsed: Duration) {
        self.exported = progress.entries
        self.cursor = isComplete ? nil : progress.cursor?.description
        self.isComplete = isComplete
        self.seconds = elapsed / .seconds(1)
    }
}

struct ExportCursorText: ExpressibleByArgument {
    let cursor: CacheExportCursor

    init?(argument: String) {
        guard let cursor = CacheExportCursor(argument) else { return nil }
        self.cursor = cursor
    }
}

/// Whether Ctrl-C came.
private final class Interruption: Sendable {
    private let flag = Atomic<Bool>(false)

    var isNoted: Bool { self.flag.load(ordering: .relaxed) }

    func note() { self.flag.store(true, ordering: .relaxed) }
}
