// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

extension ProtobufCBinaryData {
    /// Valid until the arena is reset.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: self.data, count: self.len) }

    /// Reads a field that must be UTF-8 without NUL.
    func text(_ field: StaticString, limit: Int) throws(CacheError) -> String {
        guard self.len <= limit else { throw .tooLong(field, self.len, limit: limit) }
        guard let text = String(validating: self.bytes, as: UTF8.self) else { throw .notUTF8(field) }
        guard !text.utf8.contains(0) else { throw .invalidArgument(field, "contains a NUL") }
        return text
    }

    /// Like ``text(_:limit:)``, and not empty.
    func name(_ field: StaticString, limit: Int) throws(CacheError) -> String {
        guard self.len > 0 else { throw .invalidArgument(field, "is empty") }
        return try self.text(field, limit: limit)
    }
}

/// The elements of a repeated message field.
struct RepeatedMessages<Message>: Sequence, IteratorProtocol {
    private let start: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?
    private let count: Int
    private var position = 0

    init(_ start: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?, _ count: Int) {
        self.start = start
        self.count = start == nil ? 0 : count
    }

    mutating func next() -> Message? {
        guard self.position < self.count, let message = self.start![self.position] else { return nil }
        self.position += 1
        return message.pointee
    }
}

/// Builds protobuf-c's structures in an arena.
///
/// What is built comes from our own nouns, whose sizes are limited before; running out of the arena is our own fault and
/// traps.
struct MessageBuilder {
    let arena: ProtobufArena

    func make<Message>(_ initialise: (UnsafeMutablePointer<Message>?) -> Void) -> UnsafeMutablePointer<Message> {
        let message = self.allocate(Message.self, count: 1)
        initialise(message)
        return message
    }

    func bytes(_ array: [UInt8]) -> ProtobufCBinaryData {
        let copy = self.allocate(UInt8.self, count: array.count)
        array.withUnsafeBufferPointer { copy.update(from: $0.baseAddress ?? UnsafePointer(copy), count: $0.count) }
        return ProtobufCBinaryData(len: array.count, data: copy)
    }

    func bytes(_ text: String) -> ProtobufCBinaryData {
        var text = text
        return text.withUTF8 { utf8 in
            let copy = self.allocate(UInt8.self, count: utf8.count)
            if let start = utf8.baseAddress { copy.update(from: start, count: utf8.count) }
            return ProtobufCBinaryData(len: utf8.count, data: copy)
        }
    }

    func list<Element, Value>(
        _ elements: [Element], _ transform: (Element) -> Value
    ) -> (count: Int, start: UnsafeMutablePointer<Value>?) {
        guard !elements.isEmpty else { return (0, nil) }
        let start = self.allocate(Value.self, count: elements.count)
        for (position, element) in elements.enumerated() { (start + position).initialize(to: transform(element)) }
        return (elements.count, start)
    }

    private func allocate<Value>(_ type: Value.Type, count: Int) -> UnsafeMutablePointer<Value> {
        guard let memory = self.arena.allocate(max(1, count * MemoryLayout<Value>.stride)) else {
            preconditionFailure("a message of ours exceeds the arena")
        }
        return memory.bindMemory(to: Value.self, capacity: max(1, count))
    }
}
