// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
import Foundation

/// What Linux waits for on a connection, as `/proc/net/tcp` tells.
struct SocketTimer {
    enum Kind: String {
        case none = "00"
        case retransmission = "01"
        case keepAlive = "02"
        case timeWait = "03"
        case zeroWindow = "04"
    }

    let kind: Kind
    let seconds: Int

    /// - Parameters:
    ///   - local: Port of the end that is asked about.
    ///   - remote: Port of the other end.
    /// - Returns: `nil` if there is no such connection.
    static func of(local: Int, remote: Int) throws -> SocketTimer? {
        // Not by `String(contentsOfFile:)`, which takes the first page for all of it.
        let table = try FileHandle(forReadingFrom: URL(filePath: "/proc/net/tcp")).readToEnd() ?? Data()
        for line in String(decoding: table, as: UTF8.self).split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ")
            guard fields.count > 5, Self.port(fields[1]) == local, Self.port(fields[2]) == remote else { continue }
            let timer = fields[5].split(separator: ":")
            guard timer.count == 2, let kind = Kind(rawValue: String(timer[0])) else { continue }
            let ticks = Int(timer[1], radix: 16) ?? 0
            return SocketTimer(kind: kind, seconds: ticks / Int(sysconf(Int32(_SC_CLK_TCK))))
        }
        return nil
    }

    private static func port(_ address: Substring) -> Int? {
        address.split(separator: ":").last.flatMap { Int($0, radix: 16) }
    }
}
#endif
