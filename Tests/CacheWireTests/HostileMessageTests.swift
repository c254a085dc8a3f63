// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import TestSupport
import Testing

@Suite struct HostileMessageTests {
    @Test func `a client's message that is cut anywhere is refused`() {
        var random = SeededGenerator(7)
        let decoder = ClientMessageDecoder()
        let encoded = Encoded()
        for _ in 0..<60 {
            let bytes = encoded.body(of: random.clientMessage())
            for count in 0..<min(bytes.count, 2000) {
                #expect { try decoder.decode(Array(bytes[..<count])) } throws: {
                    ($0 as? WireError)?.code == .malformedMessage
                }
            }
        }
    }

    @Test func `a server's message that is cut anywhere is refused`() {
        var random = SeededGenerator(8)
        let decoder = ServerMessageDecoder()
        let encoded = Encoded()
        for _ in 0..<60 {
            let bytes = encoded.body(of: random.serverMessage())
            for count in 0..<min(bytes.count, 2000) {
                #expect { try decoder.decode(Array(bytes[..<count])) } throws: {
                    ($0 as? WireError)?.code == .malformedMessage
                }
            }
        }
    }

    @Test func `a damaged client's message is refused or is a message`() throws {
        var random = SeededGenerator(9)
        let decoder = ClientMessageDecoder()
        let encoded = Encoded()
        var survivors = 0
        for _ in 0..<20_000 {
            let bytes = Self.damaged(encoded.body(of: random.clientMessage()), &random)
            guard let message = try? decoder.decode(bytes) else { continue }
            if case .call(let call) = message, case .failure = call.request { continue }
            // What was accepted is a noun like any other: it can be sent on.
            let again = encoded.body(of: message)
            #expect(try encoded.body(of: decoder.decode(again)) == again)
            survivors += 1
        }
        #expect(survivors > 500)
    }

    @Test func `a damaged server's message is refused or is a message`() throws {
        var random = SeededGenerator(10)
        let decoder = ServerMessageDecoder()
        let encoded = Encoded()
        var survivors = 0
        for _ in 0..<20_000 {
            let bytes = Self.damaged(encoded.body(of: random.serverMessage()), &random)
            guard let message = try? decoder.decode(bytes) else { continue }
            let again = encoded.body(of: message)
            #expect(try encoded.body(of: decoder.decode(again)) == again)
            survivors += 1
        }
        #expect(survivors > 500)
    }

    @Test func `garbage is refused`() {
        var random = SeededGenerator(11)
        let client = ClientMessageDecoder()
        let server = ServerMessageDecoder()
        var accepted = 0
        for _ in 0..<50_000 {
            let bytes = random.bytes(random.int(0...random.pick([4, 40, 400])))
            if (try? client.decode(bytes)) != nil { accepted += 1 }
            if (try? server.decode(bytes)) != nil { accepted += 1 }
        }
        // Random bytes are a short message now and then.
        #expect(accepted < 500)
    }

    @Test func `no body at all is refused`() {
        #expect { try ClientMessageDecoder().decode(UnsafeRawBufferPointer(start: nil, count: 0)) } throws: {
            ($0 as? WireError)?.message == "message is neither hello, call nor cancel"
        }
        #expect { try ServerMessageDecoder().decode(UnsafeRawBufferPointer(start: nil, count: 0)) } throws: {
            ($0 as? WireError)?.message == "message is neither welcome, reply nor go-away"
        }
    }

    @Test func `a call's id of 0 is refused`() {
        #expect { try ClientMessageDecoder().decode(ProtobufBytes.lookup(id: 0, .asking()).bytes) } throws: {
            ($0 as? WireError) == WireError(.malformedMessage, "call id is 0")
        }
    }

    @Test(
        arguments: [
            ("client_name has 257 bytes, the limit is 256", Array(repeating: 0x61, count: 257)),
            ("client_name is not valid UTF-8", [0xff]),
            ("client_name contains a NUL", [0x61, 0]),
        ] as [(String, [UInt8])])
    func `a client name that is none is refused`(message: String, name: [UInt8]) {
        #expect { try ClientMessageDecoder().decode(ProtobufBytes.hello(name: name).bytes) } throws: {
            ($0 as? WireError) == WireError(.malformedMessage, message)
        }
    }

    @Test(
        arguments: [(4, "api_key", 512), (5, "token", 8192)])
    func `a credential that is none is refused without a word of it`(number: Int, field: String, limit: Int) throws {
        let secret = Array("smc_secret".utf8)
        let long = Array(repeatElement(secret, count: limit / 10 + 1).joined())
        let faults: [(String, [UInt8])] = [
            ("is empty", []), ("has \(long.count) bytes, the limit is \(limit)", long),
            ("is not valid UTF-8", secret + [0xff]), ("contains a NUL", secret + [0]),
        ]
        for (fault, bytes) in faults {
            let message = ProtobufBytes.hello(ProtobufBytes().data(number, bytes))
            #expect { try ClientMessageDecoder().decode(message.bytes) } throws: {
                ($0 as? WireError) == WireError(.malformedMessage, "\(field) \(fault)")
            }
        }
        let longest = ProtobufBytes.hello(ProtobufBytes().data(number, Array(long.prefix(limit))))
        #expect(longest.frame.count <= Limits.maximumHelloBytes)
        #expect(throws: Never.self) { try ClientMessageDecoder().decode(longest.bytes) }
    }

    @Test func `of two credentials the last one counts`() throws {
        // As protobuf has it for a oneof.
        let message = ProtobufBytes.hello(ProtobufBytes().text(4, "key").text(5, "token"))
        guard case .hello(let hello) = try ClientMessageDecoder().decode(message.bytes) else {
            Issue.record("not a hello")
            return
        }
        #expect(hello.credential == .token("token"))
    }

    @Test func `a bypass that does not say why is refused`() {
        let lookup = ProtobufBytes().varint(1, 4)
        let reply = ProtobufBytes().message(2, ProtobufBytes().varint(1, 1).message(8, lookup))
        #expect { try ServerMessageDecoder().decode(reply.bytes) } throws: {
            ($0 as? WireError) == WireError(.malformedMessage, "the bypass does not say why")
        }
    }

    /// Frames of the largest size that are nothing but elements of two bytes.
    static let amplifications: [(String, ProtobufBytes)] = {
        let room = Limits.maximumFrameBytes - 100
        let empties = { (field: Int, bytes: Int) in ProtobufBytes().repeated(bytes / 2) { $0.message(field) } }
        return [
            ("vary parts", .lookup(empties(3, room))),
            ("messages of a lookup", .lookup(empties(10, room))),
            ("messages of a store", .store(empties(11, room))),
            ("messages of an invalidate", .invalidate(ProtobufBytes().message(3, empties(3, room)))),
            ("tags of an invalidate", .invalidate(ProtobufBytes().message(7, empties(1, room)))),
            ("attributes", .store(empties(6, room))),
            ("tags", .store(empties(7, room))),
            ("entry ids", .invalidate(ProtobufBytes().message(2, empties(1, room)))),
            ("unknown fields", empties(15, room)),
            ("unknown fields of a call", ProtobufBytes().message(2, empties(6, room))),
            ("strings of a list", .store(ProtobufBytes().message(6, ProtobufBytes().message(5, empties(1, room))))),
            ("calls in a message", empties(2, room)),
            // Each is merged with all before it.
            (
                "embeddings",
                .lookup(ProtobufBytes().repeated(room / 12) { $0.message(8, ProtobufBytes().floats(1, [1, 1])) })
            ),
            ("selectors", .invalidate(ProtobufBytes().repeated(room / 4) { $0.message(3).message(4) })),
        ]
    }()

    @Test(arguments: amplifications.indices)
    func `a frame whose structures take more than their limit is refused`(index: Int) {
        let (name, request) = Self.amplifications[index]
        #expect(
            request.bytes.count > Limits.maximumFrameBytes - 1000 && request.bytes.count <= Limits.maximumFrameBytes)
        #expect("\(name)") { try ClientMessageDecoder().decode(request.bytes) } throws: {
            ($0 as? WireError) == WireError(.malformedMessage, "message is no valid protobuf or takes too much memory")
        }
    }

    @Test func `an answer full of empty strings can be written and read, as far as it fits`() throws {
        let list = AttributeValue.strings(Array(repeating: "", count: Limits.maximumAttributeListCount))
        let attributes = (0..<Limits.maximumAttributes).map { Attribute(name: "\($0)", value: list) }
        for empties in [0, 1, 40, 64] {
            let matches = (0..<Limits.maximumTopK).map { number in
                let entry = CacheEntry(
                    id: EntryID(high: 0, low: UInt64(number)), prompt: nil, response: [1], contentType: "t",
                    attributes: Array(attributes.prefix(empties)), usage: nil, createdAt: Timestamp(milliseconds: 1),
                    expiresAt: Timestamp(milliseconds: 2))
                return LookupMatch(entry: entry, similarity: 1)
            }
            let hit = LookupHit(kind: .semantic, tier: .store, matches: matches, at: Timestamp(milliseconds: 1))
            let bytes = Encoded().body(of: .reply(Reply(id: 1, result: .success(.lookup(.hit(hit))))))
            #expect(bytes.count <= Limits.maximumFrameBytes)
            guard case .reply(let reply) = try ServerMessageDecoder().decode(bytes),
                case .success(.lookup(.hit(let found))) = reply.result
            else {
                Issue.record("not a hit")
                return
            }
            #expect(found.matches == Array(matches.prefix(found.matches.count)) && !found.matches.isEmpty)
        }
    }

    private static func damaged(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<random.int(1...3) where !bytes.isEmpty {
            let position = random.int(0...bytes.count - 1)
            switch random.int(0...4) {
            case 0: bytes[position] ^= 1 << UInt8(random.int(0...7))
            case 1: bytes[position] = UInt8(truncatingIfNeeded: random.next())
            case 2: bytes.remove(at: position)
            case 3: bytes.insert(random.pick([0, 0x7f, 0x80, 0xff]), at: position)
            default:
                bytes.insert(
                    contentsOf: bytes[position..<min(bytes.count, position + random.int(1...20))], at: position)
            }
        }
        return bytes
    }
}
