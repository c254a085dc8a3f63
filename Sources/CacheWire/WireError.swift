// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not what the protocol says.
package struct WireError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The frame's flags are not 0, such as a compressed frame.
        case unsupportedFlags = "unsupported_flags"
        case frameTooLarge = "frame_too_large"
        /// The body is no protobuf message of the kind that is due, or one that takes more memory than it may.
        case malformedMessage = "malformed_message"
        /// A message that may not come now.
        case unexpectedMessage = "unexpected_message"
        case unsupportedVersion = "unsupported_version"
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(self.code.rawValue): \(self.message)" }
}
