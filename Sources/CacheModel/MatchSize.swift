// SPDX-License-Identifier: Apache-2.0

/// How much of a reply a match takes.
///
/// An upper bound of its bytes on the wire, and a quarter at least of what either end needs in memory for it: a string of
/// a list takes 2 bytes on the wire when empty, and up to 80 in protobuf-c's structures.
package enum MatchSize {
    /// Of all matches of a reply, and of each. 256 KiB of the frame, and of the memory, are left to what is around them,
    /// and to the prompt and the vary parts that an Export adds.
    package static let limit = Limits.maximumFrameBytes - (256 << 10)

    package static func bytes(response: Int, contentType: String, attributes: [Attribute]) -> Int {
        attributes.reduce(response + contentType.utf8.count + 256) { sum, attribute in
            let value: Int
            switch attribute.value {
            case .string(let text): value = text.utf8.count
            case .strings(let strings): value = strings.reduce(0) { $0 + $1.utf8.count + 24 }
            case .number, .boolean: value = 16
            }
            return sum + attribute.name.utf8.count + value + 64
        }
    }
}
