// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A chat instead of a prompt.
struct ChatOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A message of a chat instead of the prompt, such as user=hello. May be repeated, oldest first.",
            valueName: "role=content"))
    var message: [NamedText] = []

    @Option(
        help: ArgumentHelp(
            """
            Read a chat instead of the prompt from a file: a JSON list of {"role": …, "content": …}; - reads it from the \
            standard input.
            """, valueName: "file"))
    var messages: String?

    var isGiven: Bool { !self.message.isEmpty || self.messages != nil }
    var isStandardInput: Bool { self.messages == "-" }

    func validate() throws {
        guard self.message.isEmpty || self.messages == nil else {
            throw ValidationError("Give --message or --messages, not both.")
        }
    }

    /// - Parameter text: The prompt if there is no chat; `-` for the standard input.
    func asked(orText text: String?) throws -> AskedPrompt {
        if let path = self.messages {
            return .chat(try ChatFile.messages(try Input.bytes(file: path, name: "messages")))
        }
        if !self.message.isEmpty {
            return .chat(self.message.map { CacheChatMessage(role: $0.name, content: $0.text) })
        }
        return .text(try Input.text(text ?? "", name: "prompt"))
    }
}

/// What a command asks about.
enum AskedPrompt: Equatable {
    case text(String)
    case chat([CacheChatMessage])
}

/// A chat as JSON.
///
/// Strict: what else a message says, such as the tools that it calls, makes another answer of it, and must not get lost.
enum ChatFile {
    private struct Message: Decodable {
        let role: String
        let content: String

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }

            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            guard container.allKeys.allSatisfy({ ["role", "content"].contains($0.stringValue) }) else {
                throw CommandFault(
                    "a message has something else than \"role\" and \"content\"; give what else matters with --vary",
                    field: "messages")
            }
            self.role = try container.decode(String.self, forKey: Key(stringValue: "role"))
            self.content = try container.decode(String.self, forKey: Key(stringValue: "content"))
        }
    }

    /// - Throws: ``CommandFault`` without any of the chat's text.
    static func messages(_ bytes: [UInt8]) throws(CommandFault) -> [CacheChatMessage] {
        do {
            return try JSONDecoder().decode([Message].self, from: Data(bytes)).map {
                CacheChatMessage(role: $0.role, content: $0.content)
            }
        } catch let fault as CommandFault {
            throw fault
        } catch {
            throw CommandFault(
                "the chat is no JSON list of objects whose \"role\" and \"content\" are strings", field: "messages")
        }
    }
}
