// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Synchronization

/// Vectors that outlive the process. Trouble with them costs a computation and no more.
extension EmbeddingPool {
    /// Reads a vector that was kept, unless it is in memory or somebody is computing it.
    func restore(_ request: Machine.Request) async -> Embedding? {
        guard let vectors, self.state.withLock({ $0.mayBeKept(request.key) }) else { return nil }
        let found: Embedding?
        do throws(VectorStoreError) {
            found =
                try await vectors.vectors(
                    [request.key], identity: self.identity.key, dimensions: self.identity.dimensions
                ).first ?? nil
        } catch {
            // What is not read because nobody waits any more is no fault of the store's.
            if !Task.isCancelled { self.metrics.countMemoryError(.read) }
            return nil
        }
        guard let found, found.dimensions == self.identity.dimensions else { return nil }
        self.restored.add(1, ordering: .relaxed)
        self.state.withLock { $0.remember(found, for: request.key, of: request.tenant) }
        return found
    }

    /// Hands a batch's vectors to where they are kept, off the callers' path.
    func keep(_ results: EmbeddingResults, of batch: Machine.Batch, without forgotten: Set<Digest>) {
        guard let vectors else { return }
        // No tenant has an empty name: that is of the warm-up.
        let kept = zip(batch.requests, results).compactMap { request, result -> KeptVector? in
            guard case .success(let vector) = result, !request.tenant.name.isEmpty, !forgotten.contains(request.key)
            else { return nil }
            return KeptVector(key: request.key, tenant: request.tenant, vector: vector)
        }
        if kept.isEmpty { return }
        guard self.writes.add(1, ordering: .relaxed).newValue <= Limits.vectorWritesAtOnce else {
            self.writes.subtract(1, ordering: .relaxed)
            return self.metrics.countMemoryError(.write)
        }
        // Nobody awaits it: whether a vector is kept matters to no caller, and of those under way there are few.
        Task {
            do throws(VectorStoreError) {
                try await vectors.remember(kept, identity: self.identity.key)
            } catch {
                self.metrics.countMemoryError(.write)
            }
            self.writes.subtract(1, ordering: .relaxed)
        }
    }
}
