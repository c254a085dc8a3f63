// SPDX-License-Identifier: Apache-2.0

/// What it means for a command that one attempt failed.
struct Setback: Equatable {
    enum Course: Equatable {
        /// Another attempt would fare no better, or would do it twice.
        case giveUp
        case move(Redirection)
        case ask(Redirection)
        /// Another attempt may succeed: in a moment, or with the server's successor.
        case tryAgain
    }

    let course: Course
    /// Whether the server is away or not in its role, so that it should be found out who is now.
    let isTroubleOfServer: Bool

    /// - Parameters:
    ///   - isRepeatable: Whether the command may be executed twice.
    ///   - asked: The server that the attempt was made at; `nil` if there was none.
    ///   - inCluster: Whether redirections are followed.
    init(_ error: RedisError, isRepeatable: Bool, at asked: RedisAddress?, inCluster: Bool) {
        switch error.code {
        case .unreachable:
            self.init(.tryAgain, isTroubleOfServer: true)
        case .connectionLost, .timedOut:
            self.init(isRepeatable ? .tryAgain : .giveUp, isTroubleOfServer: true)
        case .refused:
            let reply = error.reply ?? RESPServerError(text: "")
            self.init(reply, isRepeatable: isRepeatable, at: asked, inCluster: inCluster)
        case .overloaded, .protocolViolation, .closed, .cancelled, .misconfigured:
            self.init(.giveUp)
        }
    }

    /// None of these was executed, but what a script did before it failed inside.
    private init(_ reply: RESPServerError, isRepeatable: Bool, at asked: RedisAddress?, inCluster: Bool) {
        switch reply.prefix {
        case "MOVED", "ASK":
            guard inCluster, let asked, let redirection = Redirection(reply.text, from: asked) else {
                self.init(.giveUp)
                return
            }
            self.init(reply.prefix == "ASK" ? .ask(redirection) : .move(redirection))
        case "TRYAGAIN":
            self.init(.tryAgain)
        case "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY", "NOREPLICAS", "BUSY":
            self.init(.tryAgain, isTroubleOfServer: true)
        default:
            // A script came upon a key of a slot that is moving: it may have written others before.
            let isMoving = reply.text.contains("Script attempted to access a non local key")
            let isDown = reply.text.contains("cluster is down")
            self.init(isRepeatable && (isMoving || isDown) ? .tryAgain : .giveUp, isTroubleOfServer: isDown)
        }
    }

    private init(_ course: Course, isTroubleOfServer: Bool = false) {
        self.course = course
        self.isTroubleOfServer = isTroubleOfServer
    }
}

extension RedisError {
    /// Whether the server refuses some commands for now, such as writes, while it serves others.
    var isRefusalOfSome: Bool {
        guard self.code == .refused, let prefix = self.reply?.prefix else { return false }
        return ["READONLY", "NOREPLICAS", "CLUSTERDOWN"].contains(prefix)
    }

    /// The same, of a server's refusal with words that say what to do.
    ///
    /// Never the server's own: they may quote a caller's data.
    var explained: Self {
        guard self.code == .refused, let reply = self.reply, let advice = Self.advice(reply) else { return self }
        return Self(.refused, advice, reply: reply, mayHaveBeenExecuted: self.mayHaveBeenExecuted)
    }

    private static func advice(_ reply: RESPServerError) -> String? {
        switch reply.prefix {
        case "OOM":
            "the server's memory is full (maxmemory): give it more, or store less or for a shorter time"
        case "READONLY":
            "this server is a replica and takes no writes: name the primary in the URL, or let sentinels name it"
        case "MISCONF":
            "the server cannot save to its disk and refuses writes: see its log; its disk may be full"
        case "NOPERM":
            "the user lacks a permission: grant it the commands and keys that the documentation lists (ACL SETUSER)"
        case "WRONGPASS", "NOAUTH":
            "the server refused user name or password, or wants them: check the URL's"
        case "LOADING":
            "the server is still loading its data"
        case "BUSY":
            "the server is busy with a script that runs for too long"
        case "MASTERDOWN":
            "this server is a replica that has lost its primary"
        case "NOREPLICAS":
            "the server refuses writes while too few replicas follow it (min-replicas-to-write)"
        case "CLUSTERDOWN":
            "the cluster is down: some of its slots have no server (CLUSTER INFO)"
        case "TRYAGAIN", "ASK":
            "the slot is being moved to another server of the cluster"
        case "MOVED":
            "another server of a cluster has the key: the URL must begin with redis+cluster://; "
                + "or it does, and its servers disagree about which"
        case "CROSSSLOT":
            "the keys of one command belong to different slots of the cluster"
        default:
            self.adviceOnScript(reply)
        }
    }

    /// What fails inside of a script comes as a plain error.
    private static func adviceOnScript(_ reply: RESPServerError) -> String? {
        if reply.text.contains("Script attempted to access a non local key") {
            "the slot is being moved to another server of the cluster"
        } else if reply.text.contains("The user executing the script") {
            self.advice(RESPServerError(text: "NOPERM"))
        } else if reply.text.contains("cluster is down") {
            self.advice(RESPServerError(text: "CLUSTERDOWN"))
        } else {
            nil
        }
    }
}
