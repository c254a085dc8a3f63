// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Writing to the standard streams.
///
/// A reader that has gone away, such as `head`, is no error: what it does not read is dropped.
enum Output {
    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    static func line(_ text: String) { self.write(Array(text.utf8) + [0x0a], to: STDOUT_FILENO) }

    static func error(_ text: String) { self.write(Array(text.utf8) + [0x0a], to: STDERR_FILENO) }

    /// Writes to the terminal without ending the line.
    static func progress(_ text: String) { self.write(Array(text.utf8), to: STDERR_FILENO) }

    /// Writes bytes as they are, and ends the line if they do not.
    static func bytes(_ bytes: [UInt8]) {
        self.write(bytes.last == 0x0a ? bytes : bytes + [0x0a], to: STDOUT_FILENO)
    }

    /// Replaces what would control the terminal, and line ends.
    static func printable(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{fffd}" : Character($0) })
    }

    private static func write(_ bytes: [UInt8], to file: Int32) {
        bytes.withUnsafeBytes { bytes in
            var position = 0
            while position < bytes.count {
                let written = systemWrite(file, bytes.baseAddress! + position, bytes.count - position)
                if written > 0 {
                    position += written
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}

private func systemWrite(_ file: Int32, _ start: UnsafeRawPointer?, _ count: Int) -> Int { write(file, start, count) }
