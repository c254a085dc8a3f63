// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Text and bytes that an argument names: itself, a file, or `-` for the standard input.
enum Input {
    /// More than any prompt or response may have, bytes.
    private static let maximumBytes = 8 << 20

    static func text(_ argument: String, name: String) throws -> String {
        guard argument == "-" else { return argument }
        let bytes = try self.bytes(file: "-", name: name)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFault("\(name) from the standard input is not valid UTF-8", field: name)
        }
        return text
    }

    /// Reads a whole file, or the standard input if it is `-`.
    static func bytes(file path: String, name: String) throws -> [UInt8] {
        let file = try self.open(path)
        defer { if path != "-" { close(file) } }
        var bytes: [UInt8] = []
        while let chunk = try self.read(file, path, atMost: 256 << 10) {
            bytes += chunk
            guard bytes.count <= self.maximumBytes else {
                throw CommandFault("\(name) has more than \(self.maximumBytes) bytes", field: name)
            }
        }
        return bytes
    }

    /// - Returns: A file descriptor; the standard input's for `-`.
    static func open(_ path: String) throws -> Int32 {
        guard path != "-" else { return STDIN_FILENO }
        let file = openForReading(path)
        guard file >= 0 else { throw self.fault(path) }
        return file
    }

    /// - Returns: `nil` at the end.
    static func read(_ file: Int32, _ path: String, atMost count: Int) throws -> [UInt8]? {
        var failure: CommandFault?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var result: Int
            repeat { result = readSome(file, buffer.baseAddress, buffer.count) } while result < 0 && errno == EINTR
            if result < 0 { failure = self.fault(path) }
            filled = max(0, result)
        }
        if let failure { throw failure }
        return bytes.isEmpty ? nil : bytes
    }

    private static func fault(_ path: String) -> CommandFault {
        let name = path == "-" ? "the standard input" : Output.printable(path)
        return CommandFault("cannot read \(name): \(String(cString: strerror(errno)))", code: "not_found")
    }
}

private func openForReading(_ path: String) -> Int32 { open(path, O_RDONLY | O_CLOEXEC) }
private func readSome(_ file: Int32, _ start: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(file, start, count)
}
