// SPDX-License-Identifier: Apache-2.0

/// One message of a chat, as it is sent to the model.
public struct CacheChatMessage: Sendable, Hashable {
    /// Such as `user`, `assistant` or `system`; 1…64 bytes of UTF-8.
    public var role: String
    /// May be empty; a chat's contents have at most 1 MiB together.
    public var content: String

    /// Makes a message.
    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}
