// SPDX-License-Identifier: Apache-2.0

package import Logging
package import NIOCore

/// Sends commands to the servers of a deployment: a single one, those that sentinels watch over, or a cluster.
///
/// A command goes to the server that its route says, is sent on by redirections, and is tried again while that is safe
/// and may help (``Setback``, ``RetryPlan``), all within one deadline. ``close()`` must be called before the last
/// reference goes.
package final class RedisClient: Sendable {
    package let configuration: RedisConfiguration
    private let topology: RedisTopology

    /// Finds out at once who the servers are, if the URL does not say it; connects when commands are sent.
    package init(_ configuration: RedisConfiguration, group: any EventLoopGroup, logger: Logger) {
        self.configuration = configuration
        self.topology = RedisTopology(configuration, group: group, logger: logger)
    }

    /// Sends a command and waits for its reply.
    ///
    /// - Throws: ``RedisError``, of the last attempt. Whether the command may have been executed, in any of them, says
    ///   ``RedisError/mayHaveBeenExecuted``; a script that was refused may have failed half-way as well.
    package func send(_ command: RedisCommand) async throws(RedisError) -> RESPValue {
        try await self.send(command, to: .route(command.route), by: self.deadline(command.timeout))
    }

    /// Sends commands at the same time, each routed on its own.
    ///
    /// - Returns: A result for each, in their order.
    package func send(_ commands: [RedisCommand]) async -> [Result<RESPValue, RedisError>] {
        await self.all(commands.map { ($0, RedisTopology.Destination.route($0.route)) })
    }

    /// Sends a command to each primary: the one, but in a cluster. For scans and probes.
    ///
    /// - Returns: A reply of each, in the order of ``primaries()``, unless the cluster changed meanwhile.
    /// - Throws: ``RedisError`` if any has no reply.
    package func sendToPrimaries(_ command: RedisCommand) async throws(RedisError) -> [RESPValue] {
        var replies: [RESPValue] = []
        for result in await self.all(try await self.primaries().map { (command, .primary($0)) }) {
            replies.append(try result.get())
        }
        return replies
    }

    /// Returns the servers that commands go to, once it is known who they are.
    package func primaries() async throws(RedisError) -> [RedisAddress] {
        var attempts = self.attempts(by: self.deadline(nil))
        while true {
            let primaries = self.topology.primaries
            if !primaries.isEmpty { return primaries }
            do throws(RedisError) {
                _ = try self.topology.server(for: .route(.any))
            } catch {
                try await self.wait(after: error, at: nil, isRepeatable: true, &attempts)
            }
        }
    }

    /// Runs a script on the server that has its keys; one that does not know it yet gets it with the same command.
    ///
    /// - Parameters:
    ///   - key: The first key that the script gets.
    ///   - others: Further keys, of the same slot. While a slot is being moved, a server of a cluster knows by the keys
    ///     that a command names whether it has them all; of those that a script makes up it does not.
    ///   - time: For all attempts together; the client's own if `nil`.
    ///   - append: Appends the arguments; called once more if the server does not know the script.
    /// - Throws: ``RedisError``. With `.refused`, what the script wrote before it failed stays.
    package func run(
        _ script: RedisScript, key: RedisKey, others: [RedisKey] = [], within time: Duration? = nil,
        append: (inout RedisCommand) -> Void
    ) async throws(RedisError) -> RESPValue {
        let deadline = self.deadline(time)
        var command = Self.command("EVALSHA", script, script.sha1, key, others)
        append(&command)
        let error: RedisError
        do throws(RedisError) {
            return try await self.send(command, to: .route(command.route), by: deadline)
        } catch let failure {
            error = failure
        }
        guard error.reply?.prefix == "NOSCRIPT" else { throw error }
        command = Self.command("EVAL", script, script.source, key, others)
        append(&command)
        do throws(RedisError) {
            return try await self.send(command, to: .route(command.route), by: deadline)
        } catch var failure {
            if error.mayHaveBeenExecuted { failure.mayHaveBeenExecuted = true }
            throw failure
        }
    }

    /// The server that has a slot now, as far as is known.
    ///
    /// - Throws: ``RedisError`` if none is known.
    package func server(ofSlot slot: UInt16) throws(RedisError) -> RedisAddress {
        try self.topology.server(for: .route(.key(slot: slot))).node.address
    }

    /// Makes a connection of its own to a server, so that what the server sends unasked and the replies to what is sent
    /// there come in one order. To be closed by whoever asked for it.
    ///
    /// - Parameters:
    ///   - onPush: See ``RedisNodeConfiguration/onPush``.
    ///   - onEnd: See ``RedisNodeConfiguration/onEnd``.
    package func makeListener(
        at address: RedisAddress, onPush: (@Sendable ([RESPValue]) -> Void)? = nil,
        onEnd: (@Sendable () -> Void)? = nil
    ) -> RedisNode {
        self.topology.makeListener(address, onPush: onPush, onEnd: onEnd)
    }

    /// Has it found out soon who the servers are, after trouble with a listener.
    package func refresh() { self.topology.refresh() }

    /// Whether commands would be sent at all: a server is known, and can be reached.
    package var isAvailable: Bool { self.topology.isAvailable }

    /// Lets the commands that were sent get their replies, or run out of time, and takes no more.
    package func close() async { await self.topology.close() }

    private static func command(
        _ name: String, _ script: RedisScript, _ body: String, _ key: RedisKey, _ others: [RedisKey]
    ) -> RedisCommand {
        var command = RedisCommand(
            name, route: .key(slot: key.slot), isRepeatable: script.isRepeatable, capacity: body.utf8.count + 512)
        command.append(body)
        command.append(Int64(others.count + 1))
        command.append(key.bytes)
        for key in others { command.append(key.bytes) }
        return command
    }

    private func attempts(by deadline: NIODeadline) -> RetryPlan {
        RetryPlan(deadline: deadline, patience: TimeAmount(bounded: self.configuration.patience))
    }

    private func deadline(_ timeout: Duration?) -> NIODeadline {
        .now() + TimeAmount(bounded: timeout ?? self.configuration.commandTimeout)
    }
}

extension RedisClient {
    private func all(
        _ commands: [(RedisCommand, RedisTopology.Destination)]
    ) async -> [Result<RESPValue, RedisError>] {
        let commands = commands.map { ($0, $1, self.deadline($0.timeout)) }
        if commands.count == 1 { return [await self.result(of: commands[0])] }
        return await withTaskGroup(of: Answer.self) { tasks in
            for (place, command) in commands.enumerated() {
                tasks.addTask { Answer(place: place, result: await self.result(of: command)) }
            }
            var results = [Result<RESPValue, RedisError>](repeating: .failure(.closed), count: commands.count)
            for await answer in tasks { results[answer.place] = answer.result }
            return results
        }
    }

    private struct Answer: Sendable {
        let place: Int
        let result: Result<RESPValue, RedisError>
    }

    // On its own: in the closure of a task, with optimisation, the compiler makes a mess of the error's type.
    private func result(
        of command: (RedisCommand, RedisTopology.Destination, NIODeadline)
    ) async -> Result<RESPValue, RedisError> {
        do throws(RedisError) {
            return .success(try await self.send(command.0, to: command.1, by: command.2))
        } catch {
            return .failure(error)
        }
    }

    private func send(
        _ command: RedisCommand, to goal: RedisTopology.Destination, by deadline: NIODeadline
    ) async throws(RedisError) -> RESPValue {
        var attempts = self.attempts(by: deadline)
        var destination = goal
        var (mayHaveBeenExecuted, wasRefused) = (false, false)
        while true {
            let attempt = await self.attempt(command, at: destination, by: deadline)
            guard case .failure(var failure) = attempt.result else {
                attempt.server?.succeeded(wasRefused: wasRefused)
                return try attempt.result.get()
            }
            wasRefused = wasRefused || failure.isRefusalOfSome
            // An attempt that was not executed does not undo the one before it.
            if failure.mayHaveBeenExecuted { mayHaveBeenExecuted = true }
            failure.mayHaveBeenExecuted = mayHaveBeenExecuted
            let next = try await self.wait(
                after: failure, at: attempt.server, isRepeatable: command.isRepeatable, &attempts)
            destination = next ?? goal
        }
    }

    private struct Attempt: Sendable {
        /// `nil` if none is known.
        let server: RedisTopology.Server?
        let result: Result<RESPValue, RedisError>
    }

    private func attempt(
        _ command: RedisCommand, at destination: RedisTopology.Destination, by deadline: NIODeadline
    ) async -> Attempt {
        var server: RedisTopology.Server?
        do throws(RedisError) {
            let chosen = try self.topology.server(for: destination)
            server = chosen
            let reply = try await chosen.node.send(command, isAsking: destination.isAsking, by: deadline)
            return Attempt(server: chosen, result: .success(reply))
        } catch var failure {
            // What is wrong with the answers to an inquiry is no uncertainty about this command.
            if server == nil { failure.mayHaveBeenExecuted = false }
            return Attempt(server: server, result: .failure(failure))
        }
    }

    /// Waits until a command should be tried again.
    ///
    /// - Returns: Where, if a server said it.
    /// - Throws: The failure, if it should not be, or `.cancelled`.
    @discardableResult
    private func wait(
        after failure: RedisError, at server: RedisTopology.Server?, isRepeatable: Bool, _ attempts: inout RetryPlan
    ) async throws(RedisError) -> RedisTopology.Destination? {
        let now = NIODeadline.now()
        let setback = Setback(
            failure, isRepeatable: isRepeatable, at: server?.node.address, inCluster: self.topology.isCluster)
        if case .move(let redirection) = setback.course { self.topology.moved(redirection) }
        if let reply = failure.reply, ["READONLY", "MASTERDOWN"].contains(reply.prefix) {
            self.topology.foundReplica(server, at: now)
        }
        var troubleAge: TimeAmount?
        if setback.isTroubleOfServer {
            self.topology.refresh()
            troubleAge = server?.failed(failure, at: now) ?? self.topology.failed(at: now)
        } else if failure.code == .refused {
            server?.succeeded()
        }
        let step = attempts.next(
            after: setback.course, troubleAge: troubleAge, now: now, jitter: Double.random(in: 0...1))
        switch step {
        case .fail:
            // What an inquiry failed with says it already, and of whom.
            throw server == nil ? failure : failure.explained
        case .follow(let address, let isAsking):
            return .redirected(address, isAsking: isAsking)
        case .again(let delay):
            do {
                try await Task.sleep(for: Duration(delay))
            } catch {
                throw RedisError(
                    .cancelled, "the task that waits was cancelled", mayHaveBeenExecuted: failure.mayHaveBeenExecuted)
            }
            return nil
        }
    }
}

extension RedisTopology.Destination {
    fileprivate var isAsking: Bool {
        if case .redirected(_, let isAsking) = self { isAsking } else { false }
    }
}
