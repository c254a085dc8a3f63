// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore

/// An entry as it lies in Redis: a header that scripts read, then what only we read.
///
///     offset  bytes
///          0      1  "1" if it replaced a live entry, else "0"; the script sets it
///          1      8  token of the put, drawn at random: a put that is repeated finds its own
///          9     32  partition
///         41      8  expires, ms, big-endian as all numbers here
///         49      8  created, ms
///         57      4  bytes that count for the quota
///         61      4  bytes of the response
///         65      1  form of the rest: 3
///         66     16  cluster
///         82         flags: 1 usage, 2 prompt, 4 a stale window; the time until which it is fresh (8 bytes), if that is
///                    before its end; usage, content type, attributes, prompt, response, each with its length
///
/// Forms 1 and 2, of older versions, have no cluster: it is that of the response. In form 2 there is a stale window, without
/// a flag.
enum EntryBlob {
    static let headerBytes = 65
    /// Of header, form and cluster.
    static let headBytes = 82
    private static let oldForm: UInt8 = 1
    private static let oldStaleForm: UInt8 = 2
    private static let form: UInt8 = 3

    struct Header: Sendable {
        let token: [UInt8]
        let partition: [UInt8]
        let expiresAt: Timestamp
        let createdAt: Timestamp
    }

    struct Damaged: Error {}

    /// Everything but the first byte.
    static func encode(
        _ entry: CacheEntry, token: UInt64, partition: [UInt8], dimensions: Int
    ) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(
            capacity: Self.headerBytes + 64 + entry.response.count + (entry.prompt?.text.utf8.count ?? 0))
        buffer.writeInteger(token)
        buffer.writeBytes(partition)
        buffer.writeInteger(entry.expiresAt.milliseconds)
        buffer.writeInteger(entry.createdAt.milliseconds)
        // Both are far below 2^32: the limits of a request see to it.
        buffer.writeInteger(UInt32(clamping: entry.quotaBytes(dimensions: dimensions)))
        buffer.writeInteger(UInt32(clamping: entry.response.count))
        let isStaling = entry.freshUntil < entry.expiresAt
        buffer.writeInteger(Self.form)
        buffer.writeBytes(entry.cluster.bytes)
        buffer.writeInteger(
            (entry.usage == nil ? 0 : 1) | (entry.prompt == nil ? 0 : 2) | (isStaling ? 4 : 0) as UInt8)
        if isStaling { buffer.writeInteger(entry.freshUntil.milliseconds) }
        if let usage = entry.usage {
            buffer.writeInteger(usage.promptTokens)
            buffer.writeInteger(usage.completionTokens)
            buffer.writeInteger(usage.cost.bitPattern)
        }
        buffer.writeText(entry.contentType)
        buffer.writeAttributes(entry.attributes)
        if let prompt = entry.prompt { buffer.writeText(prompt.text) }
        buffer.writeInteger(UInt32(clamping: entry.response.count))
        buffer.writeBytes(entry.response)
        return buffer
    }

    static func header(_ blob: ByteBuffer) throws(Damaged) -> Header {
        var blob = blob
        guard blob.readSlice(length: 1) != nil, let token = blob.readBytes(length: 8),
            let partition = blob.readBytes(length: 32), let expires = blob.readInteger(as: Int64.self),
            let created = blob.readInteger(as: Int64.self)
        else { throw Damaged() }
        return Header(
            token: token, partition: partition, expiresAt: Timestamp(milliseconds: expires),
            createdAt: Timestamp(milliseconds: created))
    }

    /// Reads the cluster; `nil` in an older form, where it is that of the response.
    static func cluster(_ blob: ByteBuffer) -> AnswerCluster? {
        let start = blob.readerIndex + Self.headerBytes
        guard blob.getInteger(at: start, as: UInt8.self) == Self.form else { return nil }
        return blob.getBytes(at: start + 1, length: 16).flatMap { AnswerCluster(bytes: $0) }
    }

    static func decode(_ blob: ByteBuffer, id: EntryID) throws(Damaged) -> CacheEntry {
        let header = try Self.header(blob)
        let cluster = Self.cluster(blob)
        var blob = blob
        blob.moveReaderIndex(to: min(blob.writerIndex, blob.readerIndex + Self.headerBytes))
        guard let form = blob.readInteger(as: UInt8.self),
            form == Self.form ? blob.readSlice(length: 16) != nil : form == Self.oldForm || form == Self.oldStaleForm,
            let flags = blob.readInteger(as: UInt8.self)
        else { throw Damaged() }
        var freshUntil: Timestamp?
        if form == Self.form ? flags & 4 != 0 : form == Self.oldStaleForm {
            guard let time = blob.readInteger(as: Int64.self) else { throw Damaged() }
            freshUntil = Timestamp(milliseconds: time)
        }
        var usage: Usage?
        if flags & 1 != 0 {
            guard let prompt = blob.readInteger(as: UInt64.self), let completion = blob.readInteger(as: UInt64.self),
                let cost = blob.readInteger(as: UInt64.self)
            else { throw Damaged() }
            usage = Usage(promptTokens: prompt, completionTokens: completion, cost: Double(bitPattern: cost))
        }
        let contentType = try blob.readText()
        let attributes = try blob.readAttributes()
        let prompt = flags & 2 != 0 ? try blob.readPrompt() : nil
        guard let length = blob.readInteger(as: UInt32.self), let response = blob.readBytes(length: Int(length)),
            blob.readableBytes == 0
        else { throw Damaged() }
        return CacheEntry(
            id: id, prompt: prompt, response: response, contentType: contentType, attributes: attributes, usage: usage,
            createdAt: header.createdAt, freshUntil: freshUntil, expiresAt: header.expiresAt, cluster: cluster)
    }
}

extension ByteBuffer {
    mutating func writeText(_ text: String) {
        self.writeInteger(UInt32(clamping: text.utf8.count))
        self.writeString(text)
    }

    mutating func readText() throws(EntryBlob.Damaged) -> String {
        guard let length = self.readInteger(as: UInt32.self), let bytes = self.readSlice(length: Int(length)),
            let text = String(validating: bytes.readableBytesView, as: UTF8.self)
        else { throw EntryBlob.Damaged() }
        return text
    }

    fileprivate mutating func readPrompt() throws(EntryBlob.Damaged) -> CanonicalPrompt {
        guard let prompt = try? CanonicalPrompt(try self.readText()) else { throw EntryBlob.Damaged() }
        return prompt
    }

    fileprivate mutating func writeAttributes(_ attributes: [Attribute]) {
        self.writeInteger(UInt16(clamping: attributes.count))
        for attribute in attributes {
            self.writeText(attribute.name)
            switch attribute.value {
            case .string(let text):
                self.writeInteger(1 as UInt8)
                self.writeText(text)
            case .number(let number):
                self.writeInteger(2 as UInt8)
                self.writeInteger(number.bitPattern)
            case .boolean(let isTrue):
                self.writeInteger((isTrue ? 4 : 3) as UInt8)
            case .strings(let strings):
                self.writeInteger(5 as UInt8)
                self.writeInteger(UInt16(clamping: strings.count))
                for string in strings { self.writeText(string) }
            }
        }
    }

    fileprivate mutating func readAttributes() throws(EntryBlob.Damaged) -> [Attribute] {
        guard let count = self.readInteger(as: UInt16.self) else { throw EntryBlob.Damaged() }
        var attributes: [Attribute] = []
        for _ in 0..<count {
            let name = try self.readText()
            attributes.append(Attribute(name: name, value: try self.readAttributeValue()))
        }
        return attributes
    }

    private mutating func readAttributeValue() throws(EntryBlob.Damaged) -> AttributeValue {
        switch self.readInteger(as: UInt8.self) {
        case 1: return .string(try self.readText())
        case 2:
            guard let bits = self.readInteger(as: UInt64.self) else { throw EntryBlob.Damaged() }
            return .number(Double(bitPattern: bits))
        case 3: return .boolean(false)
        case 4: return .boolean(true)
        case 5:
            guard let count = self.readInteger(as: UInt16.self) else { throw EntryBlob.Damaged() }
            var strings: [String] = []
            for _ in 0..<count { strings.append(try self.readText()) }
            return .strings(strings)
        default: throw EntryBlob.Damaged()
        }
    }
}
