// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Runs a connection's tasks on its event loop, so that no call hops through the cooperative pool.
///
/// What they do between two waits is short: the embedder and the store work on threads of their own.
final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
