// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import HTTPEmbedder

struct ProviderAnswerTests {
    private func read(
        _ text: String, _ provider: HTTPEmbedder.Configuration.Provider = .openAI, count: Int = 2
    ) throws(ProviderAnswer.Fault) -> ProviderAnswer {
        try ProviderAnswer(Array(text.utf8), of: provider, count: count, dimensions: 3)
    }

    private func items(_ items: (Int, String)...) -> String {
        let data = items.map { #"{"index":\#($0),"embedding":\#($1)}"# }.joined(separator: ",")
        return #"{"data":[\#(data)],"model":"m","usage":{"total_tokens":4}}"#
    }

    @Test func `vectors come in the order of their index, in either form, and of unit length`() throws {
        let encoded = "\"\(ProviderServer.base64([0, 0, 2]))\""
        let answer = try self.read(self.items((1, "[3,0,4]"), (0, encoded)))
        expectSame(answer.vectors, [Embedding(unitLength: [0, 0, 1]), Embedding(unitLength: [0.6, 0, 0.8])])
        #expect(answer.model == "m")
        #expect(answer.tokens == 4)
    }

    @Test func `Ollama's vectors are read`() throws {
        let text = #"{"model":"m","embeddings":[[1,0,0],[0,5,0]],"prompt_eval_count":9,"total_duration":1}"#
        let answer = try self.read(text, .ollama)
        expectSame(answer.vectors, [Embedding(unitLength: [1, 0, 0]), Embedding(unitLength: [0, 1, 0])])
        #expect(answer.tokens == 9)
    }

    @Test(arguments: [
        ("[1,2,3]", "[1,2]", ProviderAnswer.Fault.dimensions), ("[1,2,3]", "[1,2,3,4]", .dimensions),
        ("[1,2,3]", "[]", .dimensions), ("[1,2,3]", "\"\"", .dimensions), ("[1,2,3]", "[0,0,0]", .values),
        ("[1,2,3]", "[1,NaN,0]", .malformed), ("[1,2,3]", "[1,Infinity,0]", .malformed),
        ("[1,2,3]", "[1,1e39,0]", .malformed), ("[1,2,3]", "[1,\"2\",0]", .malformed), ("[1,2,3]", "null", .malformed),
        ("[1,2,3]", "[1,null,3]", .malformed), ("[1,2,3]", "\"!!!!\"", .malformed), ("[1,2,3]", "\"AAAA\"", .malformed),
        ("[1,2,3]", "\"\(ProviderServer.base64([1, .nan, 0]))\"", .values),
        ("[1,2,3]", "\"\(ProviderServer.base64([1, .infinity, 0]))\"", .values),
        ("[1,2,3]", "\"\(ProviderServer.base64([0, -0.0, 0]))\"", .values),
    ])
    func `a vector that is none is refused`(_ first: String, _ second: String, _ fault: ProviderAnswer.Fault) {
        #expect(throws: fault) { try self.read(self.items((0, first), (1, second))) }
    }

    @Test func `a wrong count, and an index that is there twice or of no text, are refused`() {
        let one = "[1,2,3]"
        #expect(throws: ProviderAnswer.Fault.count) { try self.read(self.items((0, one))) }
        #expect(throws: ProviderAnswer.Fault.count) { try self.read(self.items((0, one), (1, one), (2, one))) }
        #expect(throws: ProviderAnswer.Fault.count) { try self.read(self.items((1, one), (1, one))) }
        #expect(throws: ProviderAnswer.Fault.count) { try self.read(self.items((0, one), (2, one))) }
        #expect(throws: ProviderAnswer.Fault.count) { try self.read(self.items((0, one), (-1, one))) }
        #expect(throws: ProviderAnswer.Fault.count) { try self.read(#"{"embeddings":[[1,2,3]]}"#, .ollama) }
    }

    @Test func `an answer that is cut at any byte is refused`() throws {
        let whole = Array(self.items((1, "[3,0,4]"), (0, "\"\(ProviderServer.base64([0, 0, 2]))\"")).utf8)
        for length in 0..<whole.count {
            #expect(throws: ProviderAnswer.Fault.malformed) {
                try ProviderAnswer(Array(whole.prefix(length)), of: .openAI, count: 2, dimensions: 3)
            }
        }
    }

    @Test(arguments: 0..<20)
    func `an answer with bytes changed gives vectors of unit length or none`(_ seed: UInt64) {
        var generator = SeededGenerator(seed)
        let whole = Array(self.items((1, "[3,0,4]"), (0, "\"\(ProviderServer.base64([0, 0, 2]))\"")).utf8)
        for _ in 0..<200 {
            var bytes = whole
            for _ in 0..<generator.int(1...4) {
                let place = generator.int(0...bytes.count - 1)
                switch generator.int(0...2) {
                case 0: bytes[place] = UInt8(generator.int(0...255))
                case 1: bytes.remove(at: place)
                default: bytes.insert(generator.pick(Array("[]{},:\"0e-".utf8)), at: place)
                }
            }
            guard let answer = try? ProviderAnswer(bytes, of: .openAI, count: 2, dimensions: 3) else { continue }
            #expect(answer.vectors.count == 2)
            for vector in answer.vectors {
                let length = vector.values.reduce(0) { $0 + Double($1) * Double($1) }
                #expect(vector.dimensions == 3)
                #expect(abs(length - 1) < 1e-5)
            }
        }
    }

    @Test(arguments: [
        "\u{feff}{}", "{\"data\":\0[]}", String(repeating: "[", count: 100_000),
        "{\"data\":" + String(repeating: "[", count: 600),
        "{\"data\":[],\"usage\":{\"total_tokens\":1e400}}",
    ])
    func `what is not plain JSON is refused`(_ text: String) {
        #expect(throws: ProviderAnswer.Fault.malformed) { try self.read(text) }
    }

    @Test func `JSON in another encoding is refused`() {
        let wide = self.items((0, "[1,2,3]"), (1, "[1,2,3]")).utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }
        #expect(throws: ProviderAnswer.Fault.malformed) {
            try ProviderAnswer(wide, of: .openAI, count: 2, dimensions: 3)
        }
    }
}

struct ModelWatchTests {
    private func watch(
        _ model: String, expected: String? = nil, mustBeNamed: Bool = false, canary: Embedding? = nil
    ) -> ModelWatch { ModelWatch(model: model, expected: expected, mustBeNamed: mustBeNamed, canary: canary) }

    @Test(arguments: [
        ("text-embedding-ada-002", "text-embedding-ada-002-v2"), ("nomic-embed-text", "nomic-embed-text:latest"),
        ("sentence-transformers/all-MiniLM-L6-v2", "all-minilm-l6-v2"), ("my-alias", "/data/served"),
        ("bge-m3", "BAAI/bge-m3"), ("my-alias", "bge-m3-local"),
    ])
    func `a longer name, or one that may be the same, is taken`(_ asked: String, _ answered: String) {
        var watch = self.watch(asked)
        let isAlias = answered == "bge-m3-local"
        #expect(watch.check(name: answered) == (isAlias ? .otherModel : nil))
    }

    @Test func `another known model is refused, from then on`() {
        var watch = self.watch("text-embedding-3-small")
        #expect(watch.check(name: "text-embedding-3-large") == .otherModel)
        #expect(watch.check(name: "text-embedding-3-small") == .otherModel)
    }

    @Test func `a provider that names its models must name the one that was asked for`() {
        var watch = self.watch("text-embedding-3-small", mustBeNamed: true)
        #expect(watch.check(name: nil) == .unnamed)
        #expect(watch.check(name: "text-embedding-3-small") == nil)
        var other = self.watch("text-embedding-3-small", mustBeNamed: true)
        #expect(other.check(name: "text") == .otherModel)
        var longer = self.watch("text-embedding-3-small", mustBeNamed: true)
        #expect(longer.check(name: "text-embedding-3-smaller") == .otherModel)
    }

    @Test func `a name that changes is refused, even to one that would have been taken first`() {
        var watch = self.watch("text-embedding-ada-002")
        #expect(watch.check(name: "text-embedding-ada-002") == nil)
        #expect(watch.check(name: "text-embedding-ada-002-v2") == .changedName)
    }

    @Test func `an expected name is compared byte for byte`() {
        var watch = self.watch("alias", expected: "bge-m3")
        #expect(watch.check(name: nil) == .unnamed)
        #expect(watch.check(name: "bge-m3") == nil)
        var other = self.watch("alias", expected: "bge-m3")
        #expect(other.check(name: "bge-m3-v2") == .otherModel)
    }

    @Test func `a fixed text's vector may move a little, and no more`() {
        let near = Embedding(unitLength: [0.99, 0.1410674])
        let far = Embedding(unitLength: [0.97, 0.2431049])
        var watch = self.watch("m", canary: Embedding(unitLength: [1, 0]))
        #expect(watch.check(canary: near) == nil)
        #expect(watch.check(canary: far) == .changedVectors)
        #expect(watch.check(canary: near) == .changedVectors)
        var longer = self.watch("m", canary: Embedding(unitLength: [1, 0]))
        #expect(longer.check(canary: Embedding(unitLength: [1, 0, 0])) == .changedVectors)
    }
}
