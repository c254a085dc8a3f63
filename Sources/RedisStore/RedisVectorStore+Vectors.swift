// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import NIOCore
import RedisClient

/// Texts' vectors, each a key of its own that expires: nothing keeps count of them, and a server that is told to evict
/// what expires (`volatile-…`) may take any. They are spread over all slots, so no command names two.
extension RedisVectorStore: VectorMemory {
    package func vectors(
        _ keys: [Digest], identity: Digest, dimensions: Int
    ) async throws(VectorStoreError) -> [Embedding?] {
        // A computation is quicker than waiting for a server that is not there.
        guard self.client.isAvailable else { throw VectorStoreError(.unavailable, "Redis cannot be reached") }
        let commands = keys.map { key in
            var command = RedisCommand("GET", on: KeptVectorValue.key(key), isRepeatable: true)
            command.timeout = Limits.redisVectorDeadline
            return command
        }
        var vectors: [Embedding?] = []
        for reply in await self.client.replies(to: commands) {
            guard let value = try RESPReader.bytesIfAny(try reply.get()) else {
                vectors.append(nil)
                continue
            }
            vectors.append(KeptVectorValue.decode(value, identity: identity, dimensions: dimensions))
        }
        return vectors
    }

    package func remember(_ vectors: [KeptVector], identity: Digest) async throws(VectorStoreError) {
        for kept in vectors { try Self.checkUnitLength(kept.vector) }
        let seconds = max(1, self.configuration.vectorTimeToLive.components.seconds)
        let commands = vectors.map { kept in
            var command = RedisCommand(
                "SET", on: KeptVectorValue.key(kept.key), isRepeatable: true,
                capacity: 4 * kept.vector.dimensions + 256)
            command.append(KeptVectorValue.encode(kept.vector, identity: identity))
            command.append("EX")
            command.append(seconds)
            return command
        }
        for reply in await self.client.replies(to: commands) { _ = try reply.get() }
    }
}

/// What lies at `semcache:vector:1:<key>`: the embedding identity, 32 bytes, and the vector as little-endian floats.
enum KeptVectorValue {
    static func key(_ key: Digest) -> RedisKey { RedisKey("semcache:vector:1:\(key.hexadecimal)") }

    static func encode(_ vector: Embedding, identity: Digest) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeBytes(identity.bytes)
        for value in vector.values { buffer.writeInteger(value.bitPattern, endianness: .little) }
        return buffer
    }

    /// - Returns: `nil` for what is of another model, or not as it was written.
    static func decode(_ value: ByteBuffer, identity: Digest, dimensions: Int) -> Embedding? {
        var value = value
        guard value.readableBytes == 32 + 4 * dimensions, let made = value.readBytes(length: 32),
            made == identity.bytes
        else { return nil }
        var values: [Float] = []
        values.reserveCapacity(dimensions)
        while let bits = value.readInteger(endianness: .little, as: UInt32.self) {
            values.append(Float(bitPattern: bits))
        }
        let square = values.reduce(Float(0)) { $0 + $1 * $1 }
        // False for what is not a number.
        return abs(square - 1) <= 0.02 ? Embedding(unitLength: values) : nil
    }
}
