// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#endif

/// A vector of unit length. The similarity of two is their dot product.
package struct Embedding: Sendable, Equatable {
    package let values: [Float]

    package var dimensions: Int { self.values.count }

    /// Wraps what is of unit length already, such as an encoder's output.
    package init(unitLength values: [Float]) { self.values = values }

    /// Normalises a vector that a caller sent.
    ///
    /// - Parameter dimensions: What the cache's model has.
    /// - Throws: ``CacheError`` with `.invalidArgument` for another dimension, a value that is not finite, or no length.
    package init(normalising given: [Float], dimensions: Int, field: StaticString = "embedding") throws(CacheError) {
        guard given.count == dimensions else {
            throw .invalidArgument(field, "has \(given.count) dimensions, the cache's model has \(dimensions)")
        }
        var squares = 0.0
        for value in given {
            guard value.isFinite else { throw .invalidArgument(field, "has a value that is not a finite number") }
            squares += Double(value) * Double(value)
        }
        // Below it the direction is mostly rounding.
        guard squares > 1e-30 else { throw .invalidArgument(field, "has no length") }
        let scale = 1 / squares.squareRoot()
        self.values = given.map { Float(Double($0) * scale) }
    }
}

/// Which model made a vector. Vectors of two identities never meet.
package struct EmbeddingIdentity: Hashable, Sendable {
    package let provider: String
    package let model: String
    package let dimensions: Int
    /// Changes whenever the same text would give another vector.
    package let revision: String

    package let key: Digest

    package init(provider: String, model: String, dimensions: Int, revision: String) {
        self.provider = provider
        self.model = model
        self.dimensions = dimensions
        self.revision = revision
        var fingerprint = Fingerprint(.embeddingIdentity)
        fingerprint.append(provider)
        fingerprint.append(model)
        fingerprint.append(UInt64(dimensions))
        fingerprint.append("l2")
        fingerprint.append(revision)
        self.key = fingerprint.finish()
    }
}

extension EmbeddingIdentity: CustomStringConvertible {
    package var description: String { "\(self.provider)/\(self.model)/\(self.dimensions)/\(self.revision)" }
}
