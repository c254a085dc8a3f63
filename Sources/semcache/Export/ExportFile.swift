// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Where an export goes: a file, or the standard output. Holds whole pages only, as far as a file can be cut.
struct ExportFile: ~Copyable {
    private let name: String
    private let file: Int32

    /// - Parameters:
    ///   - path: Of a file; the standard output if `nil`.
    ///   - isContinued: Whether to add to the file. Otherwise it must not be there.
    init(_ path: String?, isContinued: Bool) throws(CommandFault) {
        guard let path else {
            self.name = "the standard output"
            self.file = STDOUT_FILENO
            return
        }
        self.name = Output.printable(path)
        self.file = openForWriting(path, isContinued ? O_APPEND : O_EXCL)
        if self.file < 0 { throw Self.fault(self.name) }
    }

    deinit {
        if self.file > STDOUT_FILENO { close(self.file) }
    }

    func write(_ bytes: [UInt8]) throws(CommandFault) {
        let start = self.file > STDOUT_FILENO ? lseek(self.file, 0, SEEK_END) : -1
        var position = 0
        while position < bytes.count {
            let written = bytes[position...].withUnsafeBytes { writeSome(self.file, $0.baseAddress, $0.count) }
            if written > 0 {
                position += written
            } else if errno != EINTR {
                let fault = Self.fault(self.name)
                if start >= 0 { ftruncate(self.file, start) }
                throw fault
            }
        }
    }

    /// Makes what was written durable, where there is such a thing.
    func sync() throws(CommandFault) {
        guard fsync(self.file) == 0 || errno == EINVAL || errno == EROFS else { throw Self.fault(self.name) }
    }

    private static func fault(_ name: String) -> CommandFault {
        CommandFault("cannot write \(name): \(String(cString: strerror(errno)))", code: "unavailable")
    }
}

/// Readable by its owner only: it has prompts and responses.
private func openForWriting(_ path: String, _ mode: Int32) -> Int32 {
    open(path, O_WRONLY | O_CREAT | O_CLOEXEC | mode, 0o600)
}
private func writeSome(_ file: Int32, _ start: UnsafeRawPointer?, _ count: Int) -> Int { write(file, start, count) }
