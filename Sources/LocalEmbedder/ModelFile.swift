// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Glibc

/// A file of a model, open for reading.
struct ModelFile: ~Copyable {
    let path: String
    /// Counts the bytes of the file when it was opened.
    let size: Int
    private let descriptor: CInt

    /// Opens a file, following symbolic links.
    ///
    /// - Throws: ``ModelError`` with `.missing` when nothing is there, `.damaged` when it is no readable regular file.
    init(opening path: String) throws(ModelError) {
        // A FIFO must not hang the start of the service: hence non-blocking.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code = errno
            let isMissing = code == ENOENT || code == ENOTDIR
            let reason = String(cString: strerror(code))
            throw ModelError(isMissing ? .missing : .damaged, "cannot open \(path): \(reason)")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw ModelError(.damaged, "\(path) is not a regular file")
        }
        self.path = path
        self.size = Int(status.st_size)
        self.descriptor = descriptor
    }

    deinit { close(self.descriptor) }

    /// Returns all bytes.
    ///
    /// - Throws: ``ModelError`` with `.unsupported` when there are more than `limit`, `.damaged` when reading fails.
    func readAll(atMost limit: Int) throws(ModelError) -> [UInt8] {
        guard self.size <= limit else {
            throw ModelError(.unsupported, "\(self.path) has \(self.size) bytes, the limit is \(limit)")
        }
        var bytes = [UInt8](repeating: 0, count: self.size)
        var offset = 0
        while offset < self.size {
            offset += try self.read(into: &bytes, from: offset, at: offset)
        }
        return bytes
    }

    /// Returns the SHA-256 of all bytes in lower-case hexadecimal, reading a mebibyte at a time.
    ///
    /// - Throws: ``ModelError`` with `.damaged` when reading fails.
    func sha256() throws(ModelError) -> String {
        var hasher = SHA256Hasher()
        var chunk = [UInt8](repeating: 0, count: min(self.size, 1 << 20))
        var offset = 0
        while offset < self.size {
            let count = try self.read(into: &chunk, from: offset, at: 0)
            chunk.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += count
        }
        return hasher.finish().hexadecimal
    }

    /// Fills `bytes` from index `start` on with what is at `offset` of the file and returns how many bytes came.
    private func read(into bytes: inout [UInt8], from offset: Int, at start: Int) throws(ModelError) -> Int {
        while true {
            let count = bytes.withUnsafeMutableBytes { bytes in
                let room = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
                return pread(self.descriptor, room.baseAddress, room.count, off_t(offset))
            }
            if count > 0 { return count }
            if count < 0, errno == EINTR { continue }
            let reason = count == 0 ? "it became shorter" : String(cString: strerror(errno))
            throw ModelError(.damaged, "cannot read \(self.path): \(reason)")
        }
    }
}
