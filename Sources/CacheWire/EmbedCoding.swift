// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

extension MessageBuilder {
    func embed(_ embed: EmbedRequest) -> UnsafeMutablePointer<Semcached__V1__EmbedRequest> {
        let packed = self.make(semcached__v1__embed_request__init)
        packed.pointee.cache = self.bytes(embed.cache)
        (packed.pointee.n_texts, packed.pointee.texts) = self.list(embed.texts) { self.bytes($0.text) }
        return packed
    }

    func embed(_ outcome: EmbedOutcome) -> UnsafeMutablePointer<Semcached__V1__EmbedResponse> {
        let packed = self.make(semcached__v1__embed_response__init)
        (packed.pointee.n_embeddings, packed.pointee.embeddings) = self.list(outcome.vectors) { self.embedding($0) }
        packed.pointee.embedding_identity = self.bytes(outcome.identity)
        return packed
    }
}

extension EmbedRequest {
    /// Checks limits before it copies.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`.
    init(_ embed: borrowing Semcached__V1__EmbedRequest) throws(CacheError) {
        guard embed.n_texts > 0 else { throw .invalidArgument("texts", "is empty") }
        guard embed.n_texts <= Limits.maximumEmbedTexts else {
            throw .tooMany("texts", embed.n_texts, limit: Limits.maximumEmbedTexts)
        }
        var texts: [CanonicalPrompt] = []
        texts.reserveCapacity(embed.n_texts)
        for text in UnsafeBufferPointer(start: embed.texts, count: embed.n_texts) {
            texts.append(try CanonicalPrompt(text.bytes, field: "texts"))
        }
        self.init(cache: try cacheName(embed.cache), texts: texts)
    }
}

extension EmbedOutcome {
    init(_ packed: Semcached__V1__EmbedResponse) throws(CacheError) {
        var vectors: [[Float]] = []
        for embedding in RepeatedMessages(packed.embeddings, packed.n_embeddings) {
            guard embedding.n_values <= Limits.maximumDimensions else {
                throw .tooMany("embeddings", embedding.n_values, limit: Limits.maximumDimensions)
            }
            vectors.append(Array(UnsafeBufferPointer(start: embedding.values, count: embedding.n_values)))
        }
        self.init(
            identity: String(decoding: packed.embedding_identity.bytes, as: UTF8.self), vectors: vectors)
    }
}
