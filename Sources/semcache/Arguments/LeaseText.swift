// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

/// A lease as lower-case hexadecimal digits.
struct LeaseText: ExpressibleByArgument {
    let bytes: [UInt8]

    init(lease bytes: [UInt8]) { self.bytes = bytes }

    init?(argument: String) {
        let digits = Array(argument.utf8)
        guard !digits.isEmpty, digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for position in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[position..<position + 2], as: UTF8.self)
            guard pair.first?.isHexDigit == true, let byte = UInt8(pair, radix: 16) else { return nil }
            bytes.append(byte)
        }
        guard FillLease(bytes: bytes, cache: "") != nil else { return nil }
        self.bytes = bytes
    }

    var text: String {
        self.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
