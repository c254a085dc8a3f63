// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A drawing on disk.
enum PlotFile {
    /// Replaces what is there.
    static func write(_ text: String, to path: String) throws(CommandFault) {
        guard let file = fopen(path, "we") else { throw Self.fault(path) }
        var text = text
        let written = text.withUTF8 { fwrite($0.baseAddress, 1, $0.count, file) == $0.count }
        guard fclose(file) == 0, written else { throw Self.fault(path) }
    }

    private static func fault(_ path: String) -> CommandFault {
        CommandFault(
            "cannot write \(Output.printable(path)): \(String(cString: strerror(errno)))", code: "unavailable")
    }
}
