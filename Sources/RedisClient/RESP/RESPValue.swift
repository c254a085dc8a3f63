// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// A reply of a server, in either version of the protocol.
package enum RESPValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case double(Double)
    case boolean(Bool)
    /// A simple, bulk or verbatim string, or a big number's digits.
    case bytes(ByteBuffer)
    /// An array or a set.
    case array([RESPValue])
    /// Keys and values in turn, an even number.
    case map([RESPValue])
    /// An error inside of an array; one that is the whole reply is thrown.
    case error(RESPServerError)
}

/// An error that the server replied.
package struct RESPServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What it begins with, by which clients tell errors apart: `WRONGPASS`, `MOVED`, `ERR`; empty if there is none.
    package let prefix: String
    /// All of it. May quote a caller's data: never for a log.
    package let text: String

    package init(text: String) {
        self.text = text
        let first = text.prefix { $0 != " " }
        self.prefix =
            first.utf8.count <= RedisLimits.maximumPrefixBytes
                && first.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == 95 }
            ? String(first) : ""
    }

    package var description: String { self.prefix.isEmpty ? "an error without a code" : self.prefix }
}
