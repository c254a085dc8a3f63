// SPDX-License-Identifier: Apache-2.0

/// One message of a chat.
package struct ChatMessage: Sendable, Hashable {
    /// Such as `user`, `assistant` or `system`; 1 to ``Limits/maximumRoleBytes`` bytes.
    package let role: String
    /// May be empty, such as of a message that only calls a tool.
    package let content: String

    package init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

/// What a request asks about.
package enum Prompt: Sendable, Hashable {
    case text(CanonicalPrompt)
    /// 1 to ``Limits/maximumMessages``, oldest first.
    case chat([ChatMessage])
}

/// Which part of a chat is its question. The rest is its context, which must be equal.
package struct PromptPolicy: Sendable, Hashable {
    /// Messages that are embedded: the last ones of ``roles``.
    package var window: Int
    /// Roles that count for the window.
    package var roles: Set<String>
    /// Whether messages of the roles `system` and `developer` are neither question nor context.
    package var ignoresSystemMessages: Bool
    /// Chats with more messages are not cached.
    package var maximumMessages: Int?

    package init(
        window: Int = 1, roles: Set<String> = ["user"], ignoresSystemMessages: Bool = false,
        maximumMessages: Int? = nil
    ) {
        self.window = window
        self.roles = roles
        self.ignoresSystemMessages = ignoresSystemMessages
        self.maximumMessages = maximumMessages
    }
}

/// A prompt as a cache sees it.
package enum ResolvedPrompt: Sendable, Equatable {
    /// - question: What is embedded, and what an exact hit has in common.
    /// - context: Digest of all that is not embedded; `nil` if there is nothing.
    case question(CanonicalPrompt, context: Digest?)
    /// The policy does not cache it.
    case bypass(LookupBypass)
}

extension PromptPolicy {
    /// Between the messages of a window. Neither white space nor allowed inside a message's question, so that two lists
    /// of messages never make one question; the tokenizer drops it.
    private static let separator = " \u{1e} "
    private static let systemRoles: Set<String> = ["system", "developer"]

    /// Cuts a prompt into question and context.
    ///
    /// A chat of one user message is the same as that text. Everything outside of the window is hashed as it was sent,
    /// with roles and order, and so are the roles inside, unless it is a single user message.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` if no message is of a role that counts, or the question is empty
    ///   or too long.
    package func resolve(_ prompt: Prompt) throws(CacheError) -> ResolvedPrompt {
        let messages: [ChatMessage]
        switch prompt {
        case .text(let text): return .question(text, context: nil)
        case .chat(let all):
            messages =
                self.ignoresSystemMessages ? all.filter { !Self.systemRoles.contains($0.role) } : all
        }
        if let limit = self.maximumMessages, messages.count > limit {
            return .bypass(LookupBypass(messages: messages.count, limit: limit))
        }
        let questions = messages.indices.filter { self.roles.contains(messages[$0].role) }
        let window = Set(questions.suffix(self.window))
        guard !window.isEmpty else {
            throw .invalidArgument("messages", "has none of the roles that are looked up by (\(self.roleList))")
        }
        return .question(try Self.question(messages, window), context: Self.context(of: messages, window))
    }

    private var roleList: String { self.roles.sorted().joined(separator: ", ") }

    private static func question(
        _ messages: [ChatMessage], _ window: Set<Int>
    ) throws(CacheError) -> CanonicalPrompt {
        var parts: [String] = []
        for position in window.sorted() {
            // Each by itself: an empty one among others is a fault too, not a shorter window.
            let part = try CanonicalPrompt(messages[position].content, field: "messages.content").text
            guard window.count == 1 || !part.unicodeScalars.contains("\u{1e}") else {
                throw .invalidArgument("messages.content", "contains U+001E")
            }
            parts.append(part)
        }
        return try CanonicalPrompt(parts.joined(separator: Self.separator), field: "messages")
    }

    private static func context(of messages: [ChatMessage], _ window: Set<Int>) -> Digest? {
        if messages.count == 1, messages[0].role == "user" { return nil }
        var fingerprint = Fingerprint(.context)
        fingerprint.append(UInt64(messages.count))
        for (position, message) in messages.enumerated() {
            fingerprint.append(message.role)
            if window.contains(position) {
                fingerprint.append(UInt64.max)
            } else {
                fingerprint.append(message.content)
            }
        }
        return fingerprint.finish()
    }
}
