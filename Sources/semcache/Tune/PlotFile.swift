// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A drawing on disk. Opened before the work of which it is made, as a name that cannot be written is better known then;
/// what is there stays until there is something to replace it.
final class PlotFile {
    private let path: String
    private let file: UnsafeMutablePointer<FILE>
    private var isOpen = true

    /// - Throws: ``CommandFault`` if it cannot be written.
    init(_ path: String) throws(CommandFault) {
        guard let file = fopen(path, "ae") else { throw Self.fault(path) }
        self.path = path
        self.file = file
    }

    deinit { if self.isOpen { fclose(self.file) } }

    /// Replaces what is there; once.
    func write(_ text: String) throws(CommandFault) {
        self.isOpen = false
        // What is no file has no length.
        _ = ftruncate(fileno(self.file), 0)
        var text = text
        let written = text.withUTF8 { fwrite($0.baseAddress, 1, $0.count, self.file) == $0.count }
        guard fclose(self.file) == 0, written else { throw Self.fault(self.path) }
    }

    private static func fault(_ path: String) -> CommandFault {
        CommandFault(
            "cannot write \(Output.printable(path)): \(String(cString: strerror(errno)))", code: "unavailable")
    }
}
