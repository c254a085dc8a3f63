// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Reads in what a client sends in the clear how long it says its hellos are. OpenSSL, whose own limit is 128 KiB,
/// makes room for one as soon as its first four bytes are there.
struct HelloLength: Sendable {
    private static let changeCipherSpec: UInt8 = 20
    private static let handshake: UInt8 = 22
    private static let clientHello: UInt8 = 1

    /// Of the record: type, version, length.
    private var recordHeader: [UInt8] = []
    /// Bytes of the record that are still to come.
    private var recordBytes = 0
    /// Of the message: type, length.
    private var messageHeader: [UInt8] = []
    /// Bytes of the message that are still to come.
    private var messageBytes = 0
    /// From now on everything is encrypted.
    private var isDone = false

    /// - Parameter isVersion12: Whether that is what the two sides speak: then a change of the cipher is the end of
    ///   what is in the clear. In TLS 1.3 it means nothing, and a second hello may follow.
    /// - Returns: How many of `bytes` come before the one that makes a hello longer than is allowed; nil if none does.
    mutating func read(_ bytes: ByteBufferView, isVersion12: Bool) -> Int? {
        var rest = bytes
        while !self.isDone, let byte = rest.first {
            guard self.recordBytes == 0 else {
                guard self.readMessage(&rest) else { return bytes.count - rest.count - 1 }
                continue
            }
            rest.removeFirst()
            self.recordHeader.append(byte)
            guard self.recordHeader.count == 5 else { continue }
            self.recordBytes = Int(self.recordHeader[3]) << 8 | Int(self.recordHeader[4])
            switch self.recordHeader[0] {
            // A longer record than there may be OpenSSL refuses by itself.
            case Self.handshake: self.isDone = self.recordBytes > TLSLimits.recordBytes + 2048
            case Self.changeCipherSpec: self.isDone = isVersion12
            default: self.isDone = true
            }
            if self.recordBytes == 0 { self.recordHeader = [] }
        }
        return nil
    }

    /// Reads in one record.
    private mutating func readMessage(_ rest: inout ByteBufferView) -> Bool {
        let isSkipped = self.recordHeader[0] != Self.handshake
        if isSkipped || self.messageBytes > 0 {
            let most = isSkipped ? self.recordBytes : min(self.recordBytes, self.messageBytes)
            let count = rest.prefix(most).count
            rest.removeFirst(count)
            self.recordBytes -= count
            if !isSkipped { self.messageBytes -= count }
        } else if let byte = rest.popFirst() {
            self.recordBytes -= 1
            self.messageHeader.append(byte)
            if self.messageHeader.count == 4 {
                self.messageBytes = self.messageHeader.dropFirst().reduce(0) { $0 << 8 | Int($1) }
                if self.messageHeader[0] == Self.clientHello, self.messageBytes > TLSLimits.maximumHelloBytes {
                    return false
                }
                self.messageHeader = []
            }
        }
        if self.recordBytes == 0 { self.recordHeader = [] }
        return true
    }
}
