// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import RedisClient

private let ok = RESPValue.bytes(ByteBuffer(string: "OK"))

private func error(_ text: String) -> RESPValue { .error(RESPServerError(text: text)) }

private func text(_ command: RedisCommand) -> String {
    let lines = String(buffer: command.body).split(separator: "\r\n", omittingEmptySubsequences: false)
    return stride(from: 1, to: lines.count, by: 2).map { String(lines[$0]) }.joined(separator: " ")
}

private func summary(_ action: RedisHandshake.Action) -> String {
    switch action {
    case .send(let command): text(command)
    case .ready: "ready"
    case .fail(let error): "\(error)"
    }
}

/// What is sent, and how it ends, when a server gives these replies.
private func conversation(
    user: String? = nil, password: String? = nil, database: Int = 0, _ replies: RESPValue...
) -> [String] {
    var configuration = RedisNodeConfiguration()
    configuration.username = user
    configuration.password = password
    configuration.database = database
    var handshake = RedisHandshake(configuration)
    return [text(handshake.begin())] + replies.map { summary(handshake.received($0)) }
}

@Suite struct RedisHandshakeTests {
    @Test func `one command does it all where the server knows it`() {
        #expect(conversation(.map([]), ok) == ["HELLO 3 SETNAME semcached", "PING", "ready"])
        #expect(
            conversation(password: "p w", .map([]), ok) == [
                "HELLO 3 AUTH default p w SETNAME semcached", "PING", "ready",
            ])
        #expect(
            conversation(user: "u", password: "p", database: 7, .map([]), ok, ok)
                == ["HELLO 3 AUTH u p SETNAME semcached", "SELECT 7", "PING", "ready"])
    }

    @Test(arguments: [
        "ERR unknown command `HELLO`, with args beginning with: `3`", "NOPROTO unsupported protocol version",
    ])
    func `a server that does not know it is spoken to in version 2`(reply: String) {
        #expect(
            conversation(error(reply), ok, ok)
                == ["HELLO 3 SETNAME semcached", "CLIENT SETNAME semcached", "PING", "ready"])
        #expect(
            conversation(user: "u", password: "p", database: 1, error(reply), ok, error("ERR unknown"), ok, ok)
                == [
                    "HELLO 3 AUTH u p SETNAME semcached", "AUTH u p", "CLIENT SETNAME semcached", "SELECT 1", "PING",
                    "ready",
                ])
        #expect(conversation(password: "p", error(reply), ok).last == "CLIENT SETNAME semcached")
        #expect(conversation(password: "p", error(reply))[1] == "AUTH p")
    }

    @Test(arguments: [
        ("WRONGPASS invalid username-password pair", "refused: the server refused user name or password"),
        ("NOAUTH HELLO must be called with the client already authenticated", "refused: the server wants a password"),
        ("NOPERM this user has no permissions", "refused: the user may not connect: grant it"),
        ("DENIED Redis is running in protected mode", "refused: the server lets nobody in from another machine"),
        ("ERR max number of clients reached", "unreachable: the server has as many clients as it takes"),
        ("LOADING Redis is loading the dataset in memory", "unreachable: the server is loading its data"),
        ("STRANGE secret", "refused: the server refused the connection: STRANGE"),
    ])
    func `a refusal says what to do and not what the server said`(reply: String, expected: String) {
        let said = conversation(user: "u", password: "p", error(reply))
        #expect(said[1].hasPrefix(expected))
        #expect(!said[1].contains("secret"))
    }

    @Test func `a refusal keeps what the server said for who asks`() {
        var handshake = RedisHandshake(RedisNodeConfiguration())
        guard case .fail(let failure) = handshake.received(error("WRONGPASS no")) else {
            Issue.record("not refused")
            return
        }
        #expect(failure.code == .refused && failure.reply?.prefix == "WRONGPASS")
    }

    @Test func `a refused password or database is told in version 2 as well`() {
        let old = error("ERR unknown command 'HELLO'")
        #expect(conversation(password: "p", old, error("ERR invalid password"))[2].contains("check the URL's user"))
        #expect(conversation(database: 99, .map([]), error("ERR DB index is out of range"))[2].contains("database 99"))
    }

    @Test func `a server that loads its data is not ready`() {
        #expect(
            conversation(.map([]), error("LOADING Redis is loading"))[2]
                == "unreachable: the server is loading its data")
    }

    @Test(arguments: ["NOPERM no PING for you", "MISCONF cannot save", "BUSY running a script"])
    func `a server that works though it refuses a PING is ready`(reply: String) {
        #expect(conversation(.map([]), error(reply))[2] == "ready")
    }

    @Test(arguments: ["NOAUTH Authentication required.", "ERR strange", "MASTERDOWN Link with MASTER is down"])
    func `a server that refuses a PING for another reason refuses the connection`(reply: String) {
        #expect(conversation(.map([]), error(reply))[2].hasPrefix("refused: "))
    }

    @Test func `a password is not to be read in what is shown of a handshake or a command`() {
        var configuration = RedisNodeConfiguration()
        configuration.username = "some-user"
        configuration.password = "some-password"
        let handshake = RedisHandshake(configuration)
        var dumped = ""
        dump(handshake, to: &dumped)
        dump(handshake.begin(), to: &dumped)
        dumped += "\(handshake) \(handshake.begin()) \(String(reflecting: handshake.begin()))"
        #expect(dumped.contains("HELLO, 7 arguments"))
        #expect(!dumped.contains("some-password") && !dumped.contains("some-user"))
    }
}
