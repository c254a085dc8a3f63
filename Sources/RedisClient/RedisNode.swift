// SPDX-License-Identifier: Apache-2.0

package import Logging
package import NIOCore
import Synchronization

/// One server: its connections, and whether it can be reached.
///
/// A server runs a slow search in a thread and does not read that connection meanwhile, so commands are spread: an idle
/// connection is preferred, and while there is none another is opened, up to the configured number. All connections are
/// on one event loop, so commands that are sent at the same time cost one wake-up of it and a write per connection.
///
/// Only commands with exactly one reply, or none but pushes, can be sent: not `MONITOR`.
package final class RedisNode: Sendable {
    package let address: RedisAddress
    private let inbox: NodeInbox
    private let lastID = Atomic<UInt64>(0)

    /// Connects when the first command is sent.
    package init(
        address: RedisAddress, configuration: RedisNodeConfiguration, group: any EventLoopGroup, logger: Logger
    ) {
        self.address = address
        self.inbox = NodeInbox(address, configuration, eventLoop: group.next(), logger: logger)
    }

    deinit { self.inbox.put(.close(done: nil)) }

    /// Sends a command once and waits for its reply.
    ///
    /// While the server cannot be reached this fails at once with what the last attempt to connect failed with.
    ///
    /// - Parameters:
    ///   - isAsking: Whether to send `ASKING` right before it, on the same connection.
    ///   - deadline: By when the reply must be there, also if the connection is yet to be made.
    /// - Throws: ``RedisError``: `.unreachable`, `.overloaded` (it was not sent), `.connectionLost`, `.timedOut`,
    ///   `.protocolViolation`, `.cancelled` (it may have been executed), `.closed` (after ``close()``), or `.refused` with
    ///   the server's error, also when it is the connection that was refused: for its password, say.
    package func send(
        _ command: RedisCommand, isAsking: Bool = false, by deadline: NIODeadline
    ) async throws(RedisError) -> RESPValue {
        let id = self.lastID.add(1, ordering: .relaxed).newValue
        let inbox = self.inbox
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<RESPValue, RedisError>, Never>) in
                inbox.put(
                    .command(
                        PendingCommand(id: id, command: command, isAsking: isAsking, deadline: deadline) {
                            continuation.resume(returning: $0)
                        }))
                // A cancellation that came before the command would find nothing to cancel.
                if Task.isCancelled { inbox.put(.cancel(id: id)) }
            }
        } onCancel: {
            inbox.put(.cancel(id: id))
        }
        let reply = try result.get()
        if case .error(let error) = reply {
            throw RedisError(.refused, "the server refused the command: \(error)", reply: error)
        }
        return reply
    }

    /// Sends a command for whose reply nobody waits, behind those that were sent before; it is lost if there is no
    /// connection in time.
    package func post(_ command: RedisCommand, by deadline: NIODeadline) {
        let id = self.lastID.add(1, ordering: .relaxed).newValue
        self.inbox.put(
            .command(PendingCommand(id: id, command: command, isAsking: false, deadline: deadline) { _ in }))
    }

    /// Whether commands are sent at all: `false` from when the server could not be reached until it can be again.
    package var isAvailable: Bool { self.inbox.isAvailable }

    /// Gives up the connections: those who wait for a reply are told that it is lost. Later commands go over new ones.
    package func abandon() { self.inbox.put(.abandon) }

    /// Takes no more commands, lets those that were sent get their replies (or run out of time), and closes.
    package func close() async {
        let inbox = self.inbox
        await withCheckedContinuation { inbox.put(.close(done: $0)) }
    }
}
