// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// The **normalised embedding text** of a prompt: case, punctuation, contractions, the way numbers are written and
/// polite words around the question are folded, so that trivially equal questions get one vector. Exact matches keep
/// the original.
package struct QuestionText {
    /// Part of the embedding identity: one more whenever a rule or a table changes what any prompt becomes.
    package static let version: UInt32 = 2
    /// Up to this many bytes a prompt is folded word by word; a longer one only in its case.
    package static let longestFoldedBytes = 2048

    /// - Returns: The text to embed. Never empty; applied again it stays the same. What cannot be folded (nothing but
    ///   punctuation, or longer than ``longestFoldedBytes``) comes back in lower case.
    package static func normalised(_ prompt: CanonicalPrompt) -> CanonicalPrompt {
        let text: String
        if let words = QuestionWords(prompt.text), !words.isEmpty {
            text = words.text
        } else {
            let lower = prompt.text.lowercased()
            // Lower case can be shorter: fold now what the next turn would fold.
            if lower.utf8.count < prompt.text.utf8.count, let words = QuestionWords(lower), !words.isEmpty {
                text = words.text
            } else {
                text = lower
            }
        }
        // Lower case can be longer than the limit; then the prompt stays as it is.
        return (try? CanonicalPrompt(text)) ?? prompt
    }
}
