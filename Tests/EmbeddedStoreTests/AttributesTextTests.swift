// SPDX-License-Identifier: Apache-2.0

import CacheModel
import EmbeddedStore
import Testing

@Suite struct AttributesTextTests {
    @Test func `attributes are written as a JSON object in their order`() {
        let attributes = [
            Attribute(name: "z\"", value: .string("a\\\n\u{7}é")), Attribute(name: "n", value: .number(0.1)),
            Attribute(name: "t", value: .boolean(true)), Attribute(name: "l", value: .strings(["x", "y"])),
        ]
        let text = #"{"z\"":"a\\\u000a\u0007é","n":0.1,"t":true,"l":["x","y"]}"#
        #expect(String(decoding: AttributesText.encode(attributes), as: UTF8.self) == text)
    }

    @Test(
        arguments: [
            [], [Attribute(name: "", value: .string(""))], [Attribute(name: "l", value: .strings([]))],
            [Double.leastNonzeroMagnitude, -0.0, 0.1, 1e300, .infinity, -.infinity].enumerated().map {
                Attribute(name: "\($0.offset)", value: .number($0.element))
            },
            [Attribute(name: "control", value: .string(String((0..<128).map { Character(Unicode.Scalar($0)!) })))],
        ] as [[Attribute]])
    func `attributes are read as they were written`(attributes: [Attribute]) throws {
        #expect(try AttributesText.decode(AttributesText.encode(attributes)) == attributes)
    }

    @Test func `a text that was cut or changed is refused or differs, and never traps`() throws {
        let attributes = [
            Attribute(name: "a", value: .strings(["x\n", "y"])), Attribute(name: "b", value: .number(1.5)),
        ]
        let text = AttributesText.encode(attributes)
        for length in 0..<text.count {
            #expect(throws: AttributesText.Malformed.self) { try AttributesText.decode(Array(text[..<length])) }
        }
        for position in text.indices {
            for byte in [UInt8(0), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "}"), 255] {
                var changed = text
                changed[position] = byte
                if changed == text { continue }
                let read = try? AttributesText.decode(changed)
                #expect(read != attributes)
            }
        }
    }
}
