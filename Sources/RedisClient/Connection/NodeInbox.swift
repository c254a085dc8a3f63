// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import Synchronization

/// A command and who waits for its reply.
struct PendingCommand: Sendable {
    /// Unique among the commands of a node, not 0.
    let id: UInt64
    let command: RedisCommand
    let isAsking: Bool
    let deadline: NIODeadline
    /// Called exactly once.
    let completion: @Sendable (Result<RESPValue, RedisError>) -> Void

    /// About what it takes on the wire.
    var bytes: Int { self.command.body.readableBytes }

    func finish(_ result: Result<RESPValue, RedisError>) { self.completion(result) }
    func fail(_ error: RedisError) { self.completion(.failure(error)) }
}

/// The way from the callers' tasks to the event loop of a node.
///
/// Whatever was put in before the event loop comes to look is taken out at once, so that commands sent at the same time
/// cost one wake-up.
final class NodeInbox: Sendable {
    enum Item: Sendable {
        case command(PendingCommand)
        case cancel(id: UInt64)
        case abandon
        /// - Parameter done: Told when the last connection has ended; `nil` if nobody asks.
        case close(done: CheckedContinuation<Void, Never>?)
    }

    private let items = Mutex<[Item]>([])
    private let eventLoop: any EventLoop
    private let session: NIOLoopBoundBox<NodeSession>
    private let status = NodeStatus()

    init(
        _ address: RedisAddress, _ configuration: RedisNodeConfiguration, eventLoop: any EventLoop, logger: Logger
    ) {
        self.eventLoop = eventLoop
        let session = NodeSession(address, configuration, eventLoop: eventLoop, status: self.status, logger: logger)
        self.session = .makeBoxSendingValue(session, eventLoop: eventLoop)
    }

    var isAvailable: Bool { self.status.isAvailable.load(ordering: .relaxed) }

    func put(_ item: Item) {
        let isFirst = self.items.withLock { items in
            items.append(item)
            return items.count == 1
        }
        if isFirst { self.eventLoop.execute { self.takeOut() } }
    }

    private func takeOut() {
        let items = self.items.withLock { items in
            let all = items
            items = []
            items.reserveCapacity(all.count)
            return all
        }
        self.session.value.process(items)
    }
}

/// What anybody may know of a session that is confined to its event loop.
final class NodeStatus: Sendable {
    let isAvailable = Atomic<Bool>(true)
}
