// SPDX-License-Identifier: Apache-2.0

import DequeModule
import Glibc
import Synchronization

/// Threads of their own for work that computes or blocks: never an event loop's, never the cooperative pool's.
///
/// A bounded queue; the work runs in the order of submission, on the first free thread.
package final class WorkerThreads: Sendable {
    package typealias Work = @Sendable () -> Void

    private let queue: BlockingQueue<Work>

    /// Starts the threads.
    ///
    /// - Parameters:
    ///   - count: At least 1.
    ///   - maximumQueued: Work waiting for a thread.
    package init(count: Int, maximumQueued: Int) {
        precondition(count > 0 && maximumQueued > 0)
        let queue = BlockingQueue<Work>(limit: maximumQueued)
        self.queue = queue
        for _ in 0..<count { Self.startThread(taking: queue) }
    }

    deinit { self.stop() }

    /// Hands work to the threads.
    ///
    /// - Returns: `false` if the queue is full or the threads have stopped: the work will not be run.
    package func submit(_ work: @escaping Work) -> Bool { self.queue.append(work) }

    /// Runs work on one of the threads and returns what it returns.
    ///
    /// - Returns: `nil` if the queue is full, the threads have stopped, or the task was cancelled before the work began:
    ///   what nobody waits for any more must not hold up the rest.
    package func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value? {
        let cancellation = Cancellation()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isQueued = self.submit {
                    continuation.resume(returning: cancellation.isCancelled ? nil : work())
                }
                if !isQueued { continuation.resume(returning: nil) }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }

    private final class Cancellation: Sendable {
        private let flag = Atomic<Bool>(false)

        var isCancelled: Bool { self.flag.load(ordering: .relaxed) }
        func cancel() { self.flag.store(true, ordering: .relaxed) }
    }

    /// Lets queued work finish and ends the threads; does not wait for them. Later submissions are refused.
    package func stop() { self.queue.close() }

    private static func startThread(taking queue: BlockingQueue<Work>) {
        let queue = Unmanaged.passRetained(queue)
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                let queue = Unmanaged<BlockingQueue<Work>>.fromOpaque(argument!).takeRetainedValue()
                while let work = queue.next() { work() }
                return nil
            }, queue.toOpaque())
        pthread_attr_destroy(&attributes)
        precondition(status == 0, "no thread could be started")
    }
}

/// A bounded queue whose readers wait on a condition variable.
package final class BlockingQueue<Element: Sendable>: @unchecked Sendable {
    // `@unchecked`: the deque and the flag are touched only under `mutex`. `Synchronization.Mutex` has no condition
    // variable, and the readers are threads, not tasks.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var elements = Deque<Element>()
    private var isClosed = false
    private let limit: Int

    package init(limit: Int) {
        self.limit = limit
        pthread_mutex_init(self.mutex, nil)
        pthread_cond_init(self.condition, nil)
    }

    deinit {
        pthread_cond_destroy(self.condition)
        pthread_mutex_destroy(self.mutex)
        self.condition.deallocate()
        self.mutex.deallocate()
    }

    /// - Returns: `false` if the queue is full or closed.
    package func append(_ element: Element) -> Bool {
        pthread_mutex_lock(self.mutex)
        defer { pthread_mutex_unlock(self.mutex) }
        guard !self.isClosed, self.elements.count < self.limit else { return false }
        self.elements.append(element)
        pthread_cond_signal(self.condition)
        return true
    }

    /// Waits for an element; `nil` once the queue is closed and empty.
    package func next() -> Element? { self.next(atMost: 1).first }

    /// Waits for at least one element and takes what is there, in order; empty once the queue is closed and empty.
    package func next(atMost maximum: Int) -> [Element] {
        pthread_mutex_lock(self.mutex)
        defer { pthread_mutex_unlock(self.mutex) }
        while self.elements.isEmpty {
            if self.isClosed { return [] }
            pthread_cond_wait(self.condition, self.mutex)
        }
        let taken = Array(self.elements.prefix(maximum))
        self.elements.removeFirst(taken.count)
        return taken
    }

    package func close() {
        pthread_mutex_lock(self.mutex)
        self.isClosed = true
        pthread_cond_broadcast(self.condition)
        pthread_mutex_unlock(self.mutex)
    }
}
