// SPDX-License-Identifier: Apache-2.0

/// What an Embed asks: the vectors of prompts.
package struct EmbedRequest: Sendable, Equatable {
    package let cache: String
    /// 1…``Limits/maximumEmbedTexts``.
    package let texts: [CanonicalPrompt]

    package init(cache: String, texts: [CanonicalPrompt]) {
        self.cache = cache
        self.texts = texts
    }
}

/// What an Embed answers.
package struct EmbedOutcome: Sendable, Equatable {
    /// Provider, model, dimensions and revision.
    package let identity: String
    /// One for each text, in order, of unit length.
    package let vectors: [[Float]]

    package init(identity: String, vectors: [[Float]]) {
        self.identity = identity
        self.vectors = vectors
    }
}
