// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore

/// What is known of a partition: whose it is, and what made its digest.
///
/// Begins with cache key and embedding identity, 32 bytes each: the owner, by which scripts keep accounts.
struct PartitionDescriptor: Sendable {
    static let ownerBytes = 64

    let cacheKey: Digest
    let identity: Digest
    let partition: Digest
    let cacheName: String
    let vary: [VaryPart]
    let context: Digest?

    init(_ partition: Partition) {
        self.cacheKey = partition.cache.key
        self.identity = partition.identity
        self.partition = partition.key
        self.cacheName = partition.cache.name
        self.vary = partition.vary
        self.context = partition.context
    }

    func encoded() -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: 160)
        buffer.writeBytes(self.cacheKey.bytes)
        buffer.writeBytes(self.identity.bytes)
        buffer.writeBytes(self.partition.bytes)
        buffer.writeText(self.cacheName)
        buffer.writeInteger(UInt16(clamping: self.vary.count))
        for part in self.vary {
            buffer.writeText(part.name)
            buffer.writeText(part.value)
        }
        if let context = self.context { buffer.writeBytes(context.bytes) }
        return buffer
    }

    init(_ encoded: ByteBuffer) throws(EntryBlob.Damaged) {
        var buffer = encoded
        func digest() throws(EntryBlob.Damaged) -> Digest {
            guard let bytes = buffer.readBytes(length: 32), let digest = Digest(bytes: bytes) else {
                throw EntryBlob.Damaged()
            }
            return digest
        }
        self.cacheKey = try digest()
        self.identity = try digest()
        self.partition = try digest()
        self.cacheName = try buffer.readText()
        guard let count = buffer.readInteger(as: UInt16.self) else { throw EntryBlob.Damaged() }
        var vary: [VaryPart] = []
        for _ in 0..<count {
            let name = try buffer.readText()
            vary.append(VaryPart(name: name, value: try buffer.readText()))
        }
        self.vary = vary
        self.context = buffer.readableBytes == 0 ? nil : try digest()
        guard buffer.readableBytes == 0 else { throw EntryBlob.Damaged() }
    }
}
