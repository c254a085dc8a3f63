// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@Suite struct PromptPolicyTests {
    private static func message(_ role: String, _ content: String) -> ChatMessage {
        ChatMessage(role: role, content: content)
    }

    private static func user(_ content: String) -> ChatMessage { Self.message("user", content) }

    private static func question(
        _ messages: [ChatMessage], _ policy: PromptPolicy = PromptPolicy()
    ) throws -> (text: String, context: Digest?) {
        guard case .question(let text, let context) = try policy.resolve(.chat(messages)) else {
            Issue.record("bypassed")
            return ("", nil)
        }
        return (text.text, context)
    }

    @Test func `a chat of one user message is that text`() throws {
        let text = try CanonicalPrompt("How are you?")
        #expect(
            try PromptPolicy().resolve(.chat([Self.user(" How  are you? ")])) == .question(text, context: nil))
        #expect(try PromptPolicy().resolve(.text(text)) == .question(text, context: nil))
    }

    @Test func `the last user message is the question, the rest is the context`() throws {
        let chat = [
            Self.message("system", "Be brief."), Self.user("Hi"), Self.message("assistant", "Hello!"),
            Self.user("How are you?"),
        ]
        let first = try Self.question(chat)
        #expect(first.text == "How are you?")
        #expect(first.context != nil)
        // Each change of what lies outside of the question is another context.
        var others: [[ChatMessage]] = []
        for position in 0..<3 {
            var changed = chat
            changed[position] = Self.message(chat[position].role, chat[position].content + "!")
            others.append(changed)
            changed[position] = Self.message("tool", chat[position].content)
            others.append(changed)
            var shorter = chat
            shorter.remove(at: position)
            others.append(shorter)
        }
        others.append([chat[1], chat[0], chat[2], chat[3]])
        others.append(chat + [Self.message("assistant", "")])
        let contexts = try others.map { try Self.question($0).context }
        #expect(Set(contexts + [first.context]).count == others.count + 1)
    }

    @Test func `contents cannot be moved from one message to the next`() throws {
        let first = try Self.question([Self.user("ab"), Self.user("c"), Self.user("q")])
        let second = try Self.question([Self.user("a"), Self.user("bc"), Self.user("q")])
        let third = try Self.question([Self.message("userab", ""), Self.user("c"), Self.user("q")])
        #expect(Set([first.context, second.context, third.context]).count == 3)
    }

    @Test func `a window of more messages is one question, and cut differently another`() throws {
        let policy = PromptPolicy(window: 2)
        let first = try Self.question([Self.user("a b"), Self.user("c")], policy)
        let second = try Self.question([Self.user("a"), Self.user("b c")], policy)
        #expect(first.context == second.context)
        #expect(first.text != second.text)
        #expect(throws: CacheError.self) { try Self.question([Self.user("a \u{1e} b"), Self.user("c")], policy) }
    }

    @Test func `roles that count are the policy's, and tell apart`() throws {
        let policy = PromptPolicy(roles: ["user", "tool"])
        let asUser = try Self.question([Self.user("q")], policy)
        let asTool = try Self.question([Self.message("tool", "q")], policy)
        #expect(asUser.context == nil)
        #expect(asTool.text == "q" && asTool.context != nil)
    }

    @Test func `system messages can be left out, and then do not count`() throws {
        let policy = PromptPolicy(ignoresSystemMessages: true, maximumMessages: 1)
        let first = try Self.question([Self.message("system", "x"), Self.user("q")], policy)
        let second = try Self.question([Self.message("developer", "y"), Self.user("q")], policy)
        #expect(first.context == nil && second.context == nil)
    }

    @Test func `a chat with too many messages is bypassed`() throws {
        let policy = PromptPolicy(maximumMessages: 2)
        let chat = [Self.user("a"), Self.message("assistant", "b"), Self.user("c")]
        #expect(try policy.resolve(.chat(chat)) == .bypass(LookupBypass(messages: 3, limit: 2)))
        #expect(try Self.question(Array(chat.prefix(2)), policy).text == "a")
    }

    @Test func `a chat without a question is an error, not an empty one`() {
        #expect {
            try PromptPolicy().resolve(.chat([Self.message("assistant", "a")]))
        } throws: {
            ($0 as? CacheError)?.field == "messages"
        }
        #expect {
            try PromptPolicy().resolve(.chat([Self.user("a"), Self.user("  \n ")]))
        } throws: {
            ($0 as? CacheError)?.field == "messages.content"
        }
    }
}
