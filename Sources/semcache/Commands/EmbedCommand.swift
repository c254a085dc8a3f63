// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct EmbedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Prints the vector of a prompt, as the cache's own model makes it.",
        discussion: """
            The vector has unit length: the similarity of two is their dot product. Which model made it is printed to the
            standard error, or with --json beside it.
            """)

    @Argument(help: "The prompt; - reads it from the standard input.")
    var prompt: String

    @OptionGroup var cache: CacheOptions
    @OptionGroup var server: ServerOptions

    func run() async throws {
        let text = try Input.text(self.prompt, name: "prompt")
        let embeddings = try await self.server.withClient { try await $0.embed([text], in: self.cache.cache) }
        // There is one for each text.
        let vector = embeddings.vectors.first ?? []
        if self.server.json {
            Output.line(JSONText.line(EmbeddingObject(identity: embeddings.identity, embedding: vector)))
        } else {
            Output.line(JSONText.line(vector))
            Output.error(embeddings.identity)
        }
    }
}

private struct EmbeddingObject: Encodable {
    let identity: String
    let embedding: [Float]
}
