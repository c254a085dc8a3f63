// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

// What several requests have.

func cacheName(_ data: ProtobufCBinaryData) throws(CacheError) -> String {
    try data.name("cache", limit: Limits.maximumCacheNameBytes)
}

/// The cache that statistics are asked of; `nil` for all.
func statisticsCache(_ stats: Semcached__V1__StatsRequest) throws(CacheError) -> String? {
    stats.cache.len == 0 ? nil : try cacheName(stats.cache)
}

extension Prompt {
    /// Reads the one of a prompt's two fields that is there.
    init(
        _ text: ProtobufCBinaryData,
        _ messages: UnsafeMutablePointer<UnsafeMutablePointer<Semcached__V1__ChatMessage>?>?, _ count: Int
    ) throws(CacheError) {
        guard count > 0 else {
            self = .text(try CanonicalPrompt(text.bytes))
            return
        }
        guard text.len == 0 else { throw .invalidArgument("messages", "is given besides prompt; give one of the two") }
        guard count <= Limits.maximumMessages else { throw .tooMany("messages", count, limit: Limits.maximumMessages) }
        let bytes = RepeatedMessages(messages, count).reduce(0) { $0 + $1.content.len }
        guard bytes <= Limits.maximumChatBytes else {
            throw .tooLong("messages", bytes, limit: Limits.maximumChatBytes)
        }
        var chat: [ChatMessage] = []
        chat.reserveCapacity(count)
        for message in RepeatedMessages(messages, count) {
            chat.append(
                ChatMessage(
                    role: try message.role.name("messages.role", limit: Limits.maximumRoleBytes),
                    content: try message.content.text("messages.content", limit: Limits.maximumChatBytes)))
        }
        self = .chat(chat)
    }
}

/// A cosine. Not a number is refused: it compares false with everything, and would let any neighbour through or none.
func similarity(_ value: Float, _ field: StaticString) throws(CacheError) -> Float {
    guard value >= -1, value <= 1 else { throw .invalidArgument(field, "is not a number from -1 to 1") }
    return value
}

func varyParts(
    _ start: UnsafeMutablePointer<UnsafeMutablePointer<Semcached__V1__VaryPart>?>?, _ count: Int
) throws(CacheError) -> [VaryPart] {
    guard count <= Limits.maximumVaryParts else { throw .tooMany("vary", count, limit: Limits.maximumVaryParts) }
    var parts: [VaryPart] = []
    for part in RepeatedMessages(start, count) {
        parts.append(
            VaryPart(
                name: try part.name.name("vary.name", limit: Limits.maximumVaryNameBytes),
                value: try part.value.text("vary.value", limit: Limits.maximumVaryValueBytes)))
    }
    // By bytes: `String` compares up to canonical equivalence, the fingerprint does not.
    guard Set(parts.map { Array($0.name.utf8) }).count == parts.count else {
        throw .invalidArgument("vary", "has the same name twice")
    }
    return parts
}

func vector(_ embedding: UnsafeMutablePointer<Semcached__V1__Embedding>?) throws(CacheError) -> [Float]? {
    guard let embedding = embedding?.pointee else { return nil }
    guard embedding.n_values <= Limits.maximumDimensions else {
        throw .tooMany("embedding", embedding.n_values, limit: Limits.maximumDimensions)
    }
    return Array(UnsafeBufferPointer(start: embedding.values, count: embedding.n_values))
}
