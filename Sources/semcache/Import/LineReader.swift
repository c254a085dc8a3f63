// SPDX-License-Identifier: Apache-2.0

import Dispatch

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Reads the lines of a file, piece by piece.
struct LineReader: ~Copyable {
    /// The largest prompt, response and attributes, written with escapes.
    static let maximumLineBytes = 8 << 20

    private let path: String
    private let file: Int32
    private var cutter = LineCutter(maximumBytes: Self.maximumLineBytes)
    private var isAtEnd = false
    // Reading may block, on a pipe for as long as it likes: not on a thread of the tasks.
    private let queue = DispatchQueue(label: "semcache.import.read")

    /// The file's size in bytes; `nil` if it has none, such as a pipe.
    let totalBytes: Int?
    private(set) var bytesRead = 0

    /// - Parameter path: `-` for the standard input.
    init(_ path: String) throws {
        self.path = path
        self.file = try Input.open(path)
        var status = stat()
        let isFile = fstat(self.file, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        self.totalBytes = isFile ? Int(status.st_size) : nil
    }

    deinit {
        if self.path != "-" { close(self.file) }
    }

    /// - Returns: `nil` at the end.
    mutating func next() async throws -> LineCutter.Line? {
        while true {
            if let line = self.cutter.next() { return line }
            if self.isAtEnd { return self.cutter.finish() }
            let (file, path) = (self.file, self.path)
            let chunk = await withCheckedContinuation { continuation in
                self.queue.async {
                    continuation.resume(returning: Result { try Input.read(file, path, atMost: 256 << 10) })
                }
            }
            if let chunk = try chunk.get() {
                self.bytesRead += chunk.count
                self.cutter.append(chunk)
            } else {
                self.isAtEnd = true
            }
        }
    }
}
