// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A lock that many readers or one writer hold; a writer that waits goes before new readers.
///
/// Held for as long as a scan takes, so it is only ever waited for on the store's own threads. Any thread may try.
final class ReadWriteLock: @unchecked Sendable {
    // `@unchecked`: the pointer never changes, and what it points to is made to be shared.
    private let lock = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

    init() {
        var attributes = pthread_rwlockattr_t()
        pthread_rwlockattr_init(&attributes)
        // glibc's default lets new readers pass a waiting writer: under steady lookups no change would get through.
        pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
        let status = pthread_rwlock_init(self.lock, &attributes)
        pthread_rwlockattr_destroy(&attributes)
        precondition(status == 0, "no lock could be made")
    }

    deinit {
        pthread_rwlock_destroy(self.lock)
        self.lock.deallocate()
    }

    func reading<Value>(_ body: () throws -> Value) rethrows -> Value {
        pthread_rwlock_rdlock(self.lock)
        defer { pthread_rwlock_unlock(self.lock) }
        return try body()
    }

    func writing<Value>(_ body: () throws -> Value) rethrows -> Value {
        pthread_rwlock_wrlock(self.lock)
        defer { pthread_rwlock_unlock(self.lock) }
        return try body()
    }

    /// Reads without waiting.
    ///
    /// - Returns: `nil` if a writer has the lock or waits for it.
    func readingIfFree<Value>(_ body: () -> Value) -> Value? {
        guard pthread_rwlock_tryrdlock(self.lock) == 0 else { return nil }
        defer { pthread_rwlock_unlock(self.lock) }
        return body()
    }
}
