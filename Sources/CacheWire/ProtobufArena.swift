// SPDX-License-Identifier: Apache-2.0

package import CCacheProto
import CacheModel

/// The memory of one message at a time: everything protobuf-c allocates for it, and gone with one reset.
///
/// Bounded, so that a small frame cannot make a large allocation: beyond the limit an allocation fails, and with it the
/// unpacking. Belongs to one thread.
package final class ProtobufArena {
    /// What most questions and small answers fit into. It is kept from message to message, and each connection has two: an
    /// idle one should hold little.
    private static let firstChunkBytes = 2 << 10
    /// Of those that a larger message takes for itself, the first and the others.
    private static let extraChunkBytes = (first: 16 << 10, others: 128 << 10)
    private static let alignment = 16

    private let limit: Int
    private var first: UnsafeMutableRawPointer?
    /// Chunks beyond the first, for large messages only.
    private var extra: [UnsafeMutableRawPointer] = []
    private var current: UnsafeMutableRawPointer?
    private var used = 0
    private var capacity = 0
    private var total = 0
    private let table: UnsafeMutablePointer<ProtobufCAllocator>

    /// - Parameter limit: Bytes that one message may take.
    package init(limit: Int = Limits.maximumDecodedBytes) {
        self.limit = limit
        self.table = .allocate(capacity: 1)
        self.table.initialize(
            to: ProtobufCAllocator(
                alloc: { arena, size in
                    // `arena` is the pointer below: alive for as long as the table is.
                    Unmanaged<ProtobufArena>.fromOpaque(arena!).takeUnretainedValue().allocate(size)
                },
                free: { _, _ in },
                allocator_data: nil))
        self.table.pointee.allocator_data = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit {
        for chunk in self.extra { chunk.deallocate() }
        self.first?.deallocate()
        self.table.deallocate()
    }

    /// For protobuf-c's functions; valid while the arena is.
    package var allocator: UnsafeMutablePointer<ProtobufCAllocator> { self.table }

    /// - Returns: 16-byte aligned memory, not zeroed, valid until ``reset()``; `nil` over the limit.
    package func allocate(_ bytes: Int) -> UnsafeMutableRawPointer? {
        guard bytes >= 0, bytes <= self.limit else { return nil }
        let rounded = (max(1, bytes) + Self.alignment - 1) & ~(Self.alignment - 1)
        if self.capacity - self.used < rounded {
            let isFirst = self.first == nil && self.extra.isEmpty && rounded <= Self.firstChunkBytes
            let extra = self.extra.isEmpty ? Self.extraChunkBytes.first : Self.extraChunkBytes.others
            let size = max(rounded, min(isFirst ? Self.firstChunkBytes : extra, self.limit - self.total))
            guard size <= self.limit - self.total else { return nil }
            let chunk = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: Self.alignment)
            if isFirst { self.first = chunk } else { self.extra.append(chunk) }
            self.total += size
            self.current = chunk
            self.capacity = size
            self.used = 0
        }
        defer { self.used += rounded }
        return self.current! + self.used
    }

    /// Frees everything at once: every pointer handed out is void.
    package func reset() {
        self.used = 0
        guard !self.extra.isEmpty else { return }
        for chunk in self.extra { chunk.deallocate() }
        self.extra.removeAll()
        self.current = self.first
        self.total = self.first == nil ? 0 : min(Self.firstChunkBytes, self.limit)
        self.capacity = self.total
    }
}
