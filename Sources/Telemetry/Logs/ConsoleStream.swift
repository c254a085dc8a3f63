// SPDX-License-Identifier: Apache-2.0

/// Takes swift-log's lines for people, and writes each in one piece. Control characters are escaped, so that nothing a
/// peer sent begins a line of its own or talks to the terminal; a line that is too long is cut.
struct ConsoleStream: TextOutputStream, Sendable {
    let sink: LogSink

    mutating func write(_ text: String) {
        var scalars = text.unicodeScalars[...]
        if scalars.last == "\n" { scalars.removeLast() }
        var line: [UInt8] = []
        for scalar in scalars {
            if scalar.isControl {
                line.append(contentsOf: scalar.escaped(asASCII: true).utf8)
            } else {
                line.append(contentsOf: UTF8.encode(scalar)!)
            }
            guard line.count < TelemetryLimits.logLineBytes - 8 else {
                line.append(contentsOf: "…".utf8)
                break
            }
        }
        line.append(UInt8(ascii: "\n"))
        self.sink.write(line)
    }
}
