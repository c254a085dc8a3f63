// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Keeps the vectors of texts for longer than a process lives, and for other replicas.
///
/// A memory and no archive: it may forget, and gives up rather than keep its caller waiting. Keys are digests over the
/// tenant, the embedding identity and the text: whoever reads it learns no text, and no tenant meets another's vectors.
package protocol VectorMemory: Sendable {
    /// - Parameters:
    ///   - identity: Of the model that made the vectors.
    ///   - dimensions: Of the model: what is kept with others is passed over.
    /// - Returns: For each key its vector, if it is there and sound.
    /// - Throws: ``VectorStoreError``; never for "not there".
    func vectors(
        _ keys: [Digest], identity: Digest, dimensions: Int
    ) async throws(VectorStoreError) -> [Embedding?]

    /// Keeps vectors, in place of those of the same keys.
    func remember(_ vectors: [KeptVector], identity: Digest) async throws(VectorStoreError)
}

package struct KeptVector: Sendable, Equatable {
    package let key: Digest
    /// Whose text it was made of.
    package let tenant: TenantID
    package let vector: Embedding

    package init(key: Digest, tenant: TenantID, vector: Embedding) {
        self.key = key
        self.tenant = tenant
        self.vector = vector
    }
}
