// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import GRPCFront

@Suite struct ProtobufFieldsTests {
    private func describe(_ bytes: [UInt8]) -> (fields: [String], isMalformed: Bool) {
        var fields = ProtobufFields(bytes[...])
        var found: [String] = []
        while let (field, value) = fields.next() {
            switch value {
            case .varint(let number): found.append("\(field)=\(number)")
            case .data(let data): found.append("\(field)=\(Array(data))")
            case .fixed: found.append("\(field)=fixed")
            }
        }
        return (found, fields.isMalformed)
    }

    @Test func `fields are read as they come, those of no interest too`() {
        let bytes = ProtobufBytes().text(1, "a").varint(2, 300).float(3, 1).double(4, 1).varint(500, .max).data(1, [])
        let (fields, isMalformed) = self.describe(bytes.bytes)
        #expect(fields == ["1=[97]", "2=300", "3=fixed", "4=fixed", "500=18446744073709551615", "1=[]"])
        #expect(!isMalformed)
    }

    @Test(
        arguments: [
            // A key or a value that does not end, in varints and otherwise.
            [0x80], [0x08], [0x08, 0x80], [0x0a], [0x0a, 2, 0], [0x0d, 0, 0, 0], [0x09, 0, 0, 0, 0, 0, 0, 0],
            // Field 0; groups; types that there are not.
            [0x00, 0], [0x0b], [0x0c], [0x0e], [0x0f],
            // A varint of eleven bytes; a length beyond all memory.
            [0x08] + [UInt8](repeating: 0x80, count: 10) + [0],
            [0x0a] + [UInt8](repeating: 0xff, count: 9) + [0x01],
        ] as [[UInt8]]) func `what is no protobuf is said to be malformed`(bytes: [UInt8])
    {
        let (fields, isMalformed) = self.describe(bytes)
        #expect(fields.isEmpty)
        #expect(isMalformed)
    }

    @Test func `what is written is read`() {
        var inner = ProtobufWriter()
        inner.text(1, "x")
        var writer = ProtobufWriter()
        writer.varint(1, 0)
        writer.varint(2, .max)
        writer.data(3, [1, 2])
        writer.message(4) { $0.text(1, "x") }
        #expect(
            self.describe(writer.bytes).fields == ["2=18446744073709551615", "3=[1, 2]", "4=\(inner.bytes)"])
    }

    @Test func `no bytes make it trap`() {
        var random = SeededGenerator(11)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let (fields, isMalformed) = self.describe(bytes)
            #expect(fields.count <= bytes.count || isMalformed)
        }
    }
}
