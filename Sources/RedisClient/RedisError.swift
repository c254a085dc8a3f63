// SPDX-License-Identifier: Apache-2.0

/// Why a command has no reply.
///
/// Neither code nor message holds a password, an argument or a text of the server.
package struct RedisError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// There is no connection, or the circuit breaker is open: the command was not sent.
        case unreachable
        /// The connection broke after the command was sent: whether it was executed is not known.
        case connectionLost = "connection_lost"
        /// No reply in time: whether it was or will be executed is not known.
        case timedOut = "timed_out"
        /// Too many commands wait: it was not sent.
        case overloaded
        /// The server said what no Redis says, or more than the limits allow.
        case protocolViolation = "protocol_violation"
        /// The server refused the command: ``RedisError/reply`` has what it said.
        case refused
        /// The client was closed.
        case closed
        /// The task that waits was cancelled.
        case cancelled
        /// Settings with which it cannot work: a URL of another form, a certificate that is not accepted.
        case misconfigured

        /// Whether it comes only of commands that were sent.
        fileprivate var isUncertain: Bool {
            switch self {
            case .connectionLost, .timedOut, .protocolViolation: true
            case .unreachable, .overloaded, .refused, .closed, .cancelled, .misconfigured: false
            }
        }
    }

    package let code: Code
    package let message: String
    /// Of `.refused`.
    package let reply: RESPServerError?
    /// Whether the server may have executed the command, or will yet: in this attempt or in one before it.
    package internal(set) var mayHaveBeenExecuted: Bool

    /// - Parameter mayHaveBeenExecuted: What the code says if `nil`.
    package init(
        _ code: Code, _ message: String, reply: RESPServerError? = nil, mayHaveBeenExecuted: Bool? = nil
    ) {
        self.code = code
        self.message = message
        self.reply = reply
        self.mayHaveBeenExecuted = mayHaveBeenExecuted ?? code.isUncertain
    }

    package var description: String { "\(self.code.rawValue): \(self.message)" }
}
