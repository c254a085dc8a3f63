// SPDX-License-Identifier: Apache-2.0

/// What a new connection says and hears before it is used.
///
/// `HELLO 3` with everything in one command where the server knows it; else version 2 of the protocol. A `PING` at the end
/// tells a server that still loads its data from one that works.
struct RedisHandshake: Sendable {
    static let clientName = "semcached"

    private enum Step {
        case hello
        case authenticate
        case name
        case select
        case ping
    }

    enum Action {
        case send(RedisCommand)
        case ready
        case fail(RedisError)
    }

    private let username: String?
    private let password: String?
    private let database: Int
    private var step = Step.hello

    init(_ configuration: RedisNodeConfiguration) {
        self.username = configuration.username
        self.password = configuration.password
        self.database = configuration.database
    }

    /// The first command.
    func begin() -> RedisCommand {
        var hello = RedisCommand("HELLO", isRepeatable: true)
        hello.append("3")
        if let password = self.password {
            hello.append("AUTH")
            hello.append(self.username ?? "default")
            hello.append(password)
        }
        hello.append("SETNAME")
        hello.append(Self.clientName)
        return hello
    }

    mutating func received(_ reply: RESPValue) -> Action {
        guard case .error(let error) = reply else { return self.advance() }
        switch (self.step, error.prefix) {
        case (_, "LOADING"):
            return .fail(RedisError(.unreachable, "the server is loading its data"))
        case (.hello, "ERR") where !error.text.contains("max number of clients"), (.hello, "NOPROTO"):
            // It does not know the command, or not the version.
            return self.password == nil ? self.send(.name) : self.send(.authenticate)
        case (.name, _):
            // For people only, and the user may lack the permission.
            return self.advance()
        case (.ping, "NOPERM"), (.ping, "MISCONF"), (.ping, "BUSY"):
            // The user may lack the permission, and reads go on at a server that cannot save or runs a long script.
            return .ready
        default:
            return .fail(self.refusal(error))
        }
    }

    private mutating func advance() -> Action {
        switch self.step {
        case .authenticate: self.send(.name)
        case .hello, .name: self.database == 0 ? self.send(.ping) : self.send(.select)
        case .select: self.send(.ping)
        case .ping: .ready
        }
    }

    private mutating func send(_ step: Step) -> Action {
        self.step = step
        var command: RedisCommand
        switch step {
        case .hello:
            command = self.begin()
        case .authenticate:
            command = RedisCommand("AUTH", isRepeatable: true)
            if let username = self.username { command.append(username) }
            command.append(self.password ?? "")
        case .name:
            command = RedisCommand("CLIENT", isRepeatable: true)
            command.append("SETNAME")
            command.append(Self.clientName)
        case .select:
            command = RedisCommand("SELECT", isRepeatable: true)
            command.append(Int64(self.database))
        case .ping:
            command = RedisCommand("PING", isRepeatable: true)
        }
        return .send(command)
    }

    private func refusal(_ error: RESPServerError) -> RedisError {
        let message: String
        switch (self.step, error.prefix) {
        case (.authenticate, _), (_, "WRONGPASS"):
            message = "the server refused user name or password: check the URL's user and password"
        case (_, "NOAUTH"):
            message = "the server wants a password: put user and password into the URL"
        case (_, "NOPERM"):
            message = "the user may not connect: grant it the commands HELLO, AUTH, SELECT and PING"
        case (_, "DENIED"):
            message = "the server lets nobody in from another machine: give it a password or end its protected mode"
        case (.hello, "ERR"):
            // A place may become free, so it is tried again.
            return RedisError(.unreachable, "the server has as many clients as it takes: raise its maxclients")
        case (.select, _):
            message = "the server refused database \(self.database): check the number in the URL"
        default:
            message = "the server refused the connection: \(error)"
        }
        return RedisError(.refused, message, reply: error)
    }
}

extension RedisHandshake: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without user name and password.
    var description: String { "handshake, \(self.step)" }
    var debugDescription: String { self.description }
    var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
