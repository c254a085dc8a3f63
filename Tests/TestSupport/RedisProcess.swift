// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// What went wrong with a server that a test started, or what it answered that was no answer.
package struct RedisTrouble: Error, CustomStringConvertible {
    package let description: String
}

/// Which Redis a test is for.
package enum RedisVersion: String, Sendable {
    /// 7.0: no vector sets.
    case seven = "SEMCACHED_TEST_REDIS7"
    /// 8, with vector sets.
    case eight = "SEMCACHED_TEST_REDIS8"

    /// The program that the environment names.
    ///
    /// - Throws: ``RedisTrouble`` that says what to set.
    package func program() throws -> String {
        guard let path = ProcessInfo.processInfo.environment[self.rawValue], !path.isEmpty else {
            let number = self == .seven ? 7 : 8
            throw RedisTrouble(
                description: "set \(self.rawValue) to the program that deploy/redis \(number) prints; deploy/test does")
        }
        return path
    }
}

/// A process that ends with this one, however that ends.
///
/// Not Foundation's `Process`, which cannot start one while more than a thousand files are open. Not `setpriv
/// --pdeathsig` either: that signal comes when the *thread* ends that started the process.
final class RedisProcess: Sendable {
    private let pid: pid_t
    private let watcher: pid_t
    /// Open until this process ends, or ends the other.
    private let watcherInput: Int32
    /// How it ended, once it has.
    private let status = Mutex<Int32?>(nil)

    /// - Throws: ``RedisTrouble`` if the program cannot be started.
    init(_ program: String, _ arguments: [String]) throws {
        var ends: [Int32] = [0, 0]
        // Not a pipe: this is closed in other programs from the beginning.
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw RedisTrouble(description: "no socket: \(errno)") }
        defer { close(ends[0]) }
        self.watcherInput = ends[1]
        do {
            self.pid = try Self.spawn(program, arguments, input: nil)
        } catch {
            close(ends[1])
            throw error
        }
        do {
            // A line says that there is nothing left to do; the end of the input, that nobody else does it.
            let script = "trap '' INT TERM HUP; read -r line || kill -KILL \"$0\""
            self.watcher = try Self.spawn("/bin/sh", ["-c", script, "\(self.pid)"], input: ends[0])
        } catch {
            Foundation.kill(self.pid, SIGKILL)
            waitpid(self.pid, nil, 0)
            close(ends[1])
            throw error
        }
    }

    deinit {
        self.send(SIGKILL)
        _ = try? self.waitForEnd(within: 10)
    }

    private static func spawn(_ program: String, _ arguments: [String], input: Int32?) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        // Files of the tests stay with them: a pipe that a program has inherited never ends.
        try Self.closeFiles(from: 3, &actions)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Threads of Swift's runtime block signals, and a program inherits that.
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, program, &actions, &attributes, &words, environ)
        guard code == 0 else {
            throw RedisTrouble(description: "\(program) cannot be started: \(String(cString: strerror(code)))")
        }
        return pid
    }

    /// `posix_spawn_file_actions_addclosefrom_np`, which is there (glibc 2.34), but not in the headers as Swift reads
    /// them.
    private static func closeFiles(from first: Int32, _ actions: inout posix_spawn_file_actions_t) throws {
        typealias Function = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
        guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else {
            throw RedisTrouble(description: "the C library cannot start a program without open files")
        }
        _ = unsafeBitCast(symbol, to: Function.self)(&actions, first)
    }

    var isRunning: Bool { self.reap() == nil }

    /// Does nothing to one that has ended.
    func send(_ signal: Int32) {
        self.status.withLock { if $0 == nil { Foundation.kill(self.pid, signal) } }
    }

    /// Blocks until it has ended.
    ///
    /// - Returns: As of `waitpid`.
    @discardableResult
    func waitForEnd(within seconds: Double) throws -> Int32 {
        try waitUntil("the process has ended", within: seconds) { self.reap() }
    }

    /// Takes note of its end, if it has come.
    private func reap() -> Int32? {
        self.status.withLock { ended in
            if let ended { return ended }
            var status: Int32 = 0
            guard waitpid(self.pid, &status, WNOHANG) == self.pid else { return nil }
            ended = status
            // The number may be another's from now on: the watcher must be gone.
            Foundation.kill(self.watcher, SIGKILL)
            waitpid(self.watcher, nil, 0)
            close(self.watcherInput)
            return status
        }
    }
}

/// Asks again and again until there is an answer. Blocks its thread: see ``onOwnThread(_:)``.
func waitUntil<Answer>(_ what: String, within seconds: Double, _ ask: () throws -> Answer?) throws -> Answer {
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(seconds)
    while true {
        if let answer = try ask() { return answer }
        guard clock.now < deadline else {
            throw RedisTrouble(description: "waited \(seconds) s in vain until \(what)")
        }
        // Between two looks; nothing else tells.
        poll(nil, 0, 5)
    }
}

/// Runs what blocks on a thread of its own, so that no thread of the pool waits.
func onOwnThread<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    // Taken by the thread, which would otherwise hold on to what `work` refers to until after this returned.
    let job = Mutex<(@Sendable () throws -> Result)?>(work)
    // In a lock: ThreadSanitizer does not see what a continuation orders that is resumed before it is awaited.
    let outcome = Mutex<Swift.Result<Result, any Error>?>(nil)
    await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            let result = Swift.Result { try job.withLock { $0.take() }!() }
            outcome.withLock { $0 = result }
            continuation.resume()
        }
    }
    // Taken as well: the thread, which may not be quite at its end, has it too.
    return try outcome.withLock { $0.take() }!.get()
}
