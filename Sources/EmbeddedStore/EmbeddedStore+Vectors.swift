// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import GRDB

extension EmbeddedStore: VectorMemory {
    package func vectors(
        _ keys: [Digest], identity: Digest, dimensions: Int
    ) async throws(VectorStoreError) -> [Embedding?] {
        let vectors = try await self.read { pool, _ in
            try pool.read { try VectorRows.vectors(keys, identity: identity, dimensions: dimensions, in: $0) }
        }
        self.writer.noteUses(zip(keys, vectors).filter { $1 != nil }.map(\.0))
        return vectors
    }

    package func remember(_ vectors: [KeptVector], identity: Digest) async throws(VectorStoreError) {
        for kept in vectors { try Similarity.checkUnitLength(kept.vector) }
        try await self.write { .remember(vectors, identity: identity, $0) }
    }
}
