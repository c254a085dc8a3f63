// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct InvalidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invalidate", abstract: "Removes entries of a cache, or of the whole tenant.",
        discussion: """
            Takes exactly one of --id, --prompt, --similar, --filter, --tag, --all and --whole-tenant.
            When it returns, no removed entry is served any more. Prints how many there were.
            """)

    @Option(help: "Name of the cache (default: default).")
    var cache: String?

    @Option(help: "Remove the entry of this id. May be repeated.")
    var id: [EntryIDText] = []

    @Option(help: "Remove the entry of this very prompt; - reads it from the standard input.")
    var prompt: String?

    @Option(help: "Remove every entry whose prompt is similar to this; - reads it from the standard input.")
    var similar: String?

    @Option(help: "How similar, -1 to 1; needed by --similar.")
    var similarity: Float?

    @Option(help: "How similar, given as 1 - similarity, 0 to 2.")
    var distance: Float?

    @Option(help: "Remove every entry whose attributes it takes, such as 'lang == \"de\" and not draft'.")
    var filter: String?

    @Option(help: "Remove every entry with this tag. May be repeated: one of them is enough.")
    var tag: [String] = []

    @Flag(help: "Remove every entry of the cache.")
    var all = false

    @Flag(help: "Remove every entry of every cache of the tenant; needs --confirm.")
    var wholeTenant = false

    @Option(help: ArgumentHelp("The tenant's name, to confirm that it is meant.", valueName: "name"))
    var confirm: String?

    @OptionGroup var vary: VaryOptions

    @Flag(help: "Only count the entries.")
    var dryRun = false

    @OptionGroup var server: ServerOptions

    func validate() throws {
        let selectors = [
            !self.id.isEmpty, self.prompt != nil, self.similar != nil, self.filter != nil, !self.tag.isEmpty, self.all,
            self.wholeTenant,
        ]
        guard selectors.count(where: { $0 }) == 1 else {
            throw ValidationError(
                "Give exactly one of --id, --prompt, --similar, --filter, --tag, --all and --whole-tenant.")
        }
        guard self.wholeTenant == (self.confirm != nil) else {
            throw ValidationError("--whole-tenant needs --confirm with the tenant's name, and it needs --whole-tenant.")
        }
        guard !self.wholeTenant || self.cache == nil else {
            throw ValidationError("--whole-tenant is about every cache: leave --cache out.")
        }
        let similarity = try self.leastSimilarity()
        guard (self.similar != nil) == (similarity != nil) else {
            throw ValidationError("--similar needs --similarity or --distance, and they need --similar.")
        }
        guard self.vary.vary.isEmpty || self.prompt != nil || self.similar != nil else {
            throw ValidationError("--vary goes with --prompt or --similar only.")
        }
        _ = try self.vary.parts()
    }

    func run() async throws {
        let target = try self.target()
        let receipt = try await self.server.withClient { client in
            try await client.invalidate(target, in: self.cache, isDryRun: self.dryRun)
        }
        if self.server.json {
            Output.line(JSONText.line(InvalidationObject(receipt)))
            return
        }
        let what = receipt.isDryRun ? "would remove" : "removed"
        Output.line("\(what) \(NumberText.count(receipt.count, "entry", "entries"))")
        for id in receipt.sample { Output.line("  \(id)") }
        if receipt.count > receipt.sample.count, !receipt.sample.isEmpty {
            Output.line("  and \(NumberText.grouped(receipt.count - receipt.sample.count)) more")
        }
    }

    func target() throws -> InvalidationTarget {
        let vary = try self.vary.parts()
        if let prompt = self.prompt {
            return .prompt(try Input.text(prompt, name: "prompt"), vary: vary)
        }
        if let similar = self.similar, let similarity = try self.leastSimilarity() {
            return .similar(to: try Input.text(similar, name: "prompt"), similarity: similarity, vary: vary)
        }
        if let filter = self.filter { return .filter(filter) }
        if !self.tag.isEmpty { return .tags(self.tag) }
        if let confirm = self.confirm { return .wholeTenant(confirming: confirm) }
        return self.all ? .wholeCache : .entries(self.id.map { $0.id })
    }

    private func leastSimilarity() throws -> Float? {
        try Similarity.from(similarity: self.similarity, distance: self.distance, option: "--similarity")
    }
}

struct EntryIDText: ExpressibleByArgument {
    let id: CacheEntryID

    init?(argument: String) {
        guard let id = CacheEntryID(argument) else { return nil }
        self.id = id
    }
}

private struct InvalidationObject: Encodable {
    let count: Int
    let sample: [String]
    let isDryRun: Bool

    enum CodingKeys: String, CodingKey {
        case count
        case sample = "sample_ids"
        case isDryRun = "dry_run"
    }

    init(_ receipt: InvalidationReceipt) {
        self.count = receipt.count
        self.sample = receipt.sample.map { $0.description }
        self.isDryRun = receipt.isDryRun
    }
}
