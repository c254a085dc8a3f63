// SPDX-License-Identifier: Apache-2.0

import Foundation
import Telemetry
import Testing

@Suite struct JSONWriterTests {
    @Test func `members, elements and nesting get their commas`() {
        var json = JSONWriter()
        json.object { json in
            json.key("a")
            json.integer(1)
            json.key("b")
            json.array { json in
                json.array { _ in }
                json.object { _ in }
                json.null()
                json.bool(true)
                json.number(-0.5)
                json.json("[1,2]".utf8)
            }
            json.key("c")
            json.string("é")
        }
        #expect(json.text == #"{"a":1,"b":[[],{},null,true,-0.5,[1,2]],"c":"é"}"#)
    }

    @Test func `controls, separators and quotes are escaped`() {
        var json = JSONWriter()
        json.string("\"\\/\n\r\t\u{0}\u{1B}[2J\u{7F}\u{85}\u{9B}\u{2028}\u{2029}")
        let expected =
            #""\"\\/\n\r\t"# + #"\u0000\u001b[2J\u007f\u0085\u009b\u2028\u2029""#
        #expect(json.text == expected)
    }

    @Test func `what is not finite is written as a string`() {
        var json = JSONWriter()
        json.array { json in
            json.number(.nan)
            json.number(.infinity)
            json.number(-.infinity)
        }
        #expect(json.text == #"["NaN","Infinity","-Infinity"]"#)
    }

    @Test func `any text reads back as it was`() throws {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            let (name, value) = (random.text(), random.text())
            var json = JSONWriter()
            json.object { json in
                json.key(name)
                json.string(value)
            }
            #expect(!json.bytes.contains { $0 < 0x20 || $0 == 0x7F })
            let read = try #require(JSONSerialization.jsonObject(with: Data(json.bytes)) as? [String: String])
            #expect(read.first.map { Array($0.key.utf8) } == Array(name.utf8))
            #expect(read.first.map { Array($0.value.utf8) } == Array(value.utf8))
        }
    }

    @Test func `a text that is cut stays within its limit, is valid, and begins as the whole does`() throws {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<2000 {
            let text = random.text()
            let limit = Int.random(in: 0...60, using: &random)
            var (json, whole) = (JSONWriter(), JSONWriter())
            let isWhole = json.string(text, limit: limit)
            whole.string(text)
            #expect(json.bytes.count <= limit + 2)
            #expect(isWhole == (whole.bytes.count <= limit + 2))
            let read = try #require(
                JSONSerialization.jsonObject(with: Data(json.bytes), options: .fragmentsAllowed) as? String)
            let kept = isWhole || limit < 3 ? Array(read.utf8) : Array(read.utf8.dropLast(3))
            #expect(text.utf8.starts(with: kept))
            #expect(isWhole || limit < 3 || read.unicodeScalars.last == "…")
        }
    }

    @Test func `what was written since a mark can be taken back`() {
        var json = JSONWriter()
        json.beginArray()
        let first = json.mark
        json.string("x")
        json.rewind(to: first)
        json.integer(1)
        let second = json.mark
        json.integer(2)
        json.rewind(to: second)
        json.integer(3)
        json.endArray()
        #expect(json.text == "[1,3]")
    }
}
