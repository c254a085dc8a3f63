// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient
import Testing

@testable import RedisStore

/// Replies as three versions of the module sent them, with ids of ours in place of theirs.
@Suite struct SearchReplyTests {
    private let ids = (0..<3).map { EntryID(high: 7, low: UInt64($0)) }

    private func parsed(_ text: String) throws -> RESPValue {
        var parser = RESPParser()
        var buffer = ByteBuffer(string: text)
        guard case .reply(let reply)? = try parser.next(&buffer) else { throw RESPReader.unexpected }
        return reply
    }

    private func row(_ number: Int, _ fields: String) -> String {
        "%3\r\n+id\r\n$39\r\nsc:{a}:\(self.ids[number])\r\n+extra_attributes\r\n\(fields)+values\r\n*0\r\n"
    }

    private func map(_ rows: [String], warning: String = "*0\r\n") -> String {
        "%5\r\n+attributes\r\n*0\r\n+format\r\n+STRING\r\n+results\r\n*\(rows.count)\r\n\(rows.joined())"
            + "+total_results\r\n:\(rows.count)\r\n+warning\r\n\(warning)"
    }

    private func distance(_ text: String) -> String { "%1\r\n$1\r\nd\r\n$\(text.utf8.count)\r\n\(text)\r\n" }

    @Test func `rows are sorted, in either protocol`() throws {
        let newer = self.map([
            self.row(0, self.distance("0.136093735695")), self.row(1, self.distance("5.96046447754e-08")),
            self.row(2, self.distance("1.5")),
        ])
        let older =
            "*7\r\n:3\r\n"
            + zip(0..<3, ["$14\r\n0.136093735695", "$17\r\n5.96046447754e-08", "$3\r\n1.5"]).map { number, distance in
                "$39\r\nsc:{a}:\(self.ids[number])\r\n*2\r\n$1\r\nd\r\n\(distance)\r\n"
            }.joined()
        for reply in [newer, older] {
            let hits = try SearchReply.hits(try self.parsed(reply))
            #expect(hits.map(\.id) == [self.ids[1], self.ids[0], self.ids[2]])
            #expect(hits.map(\.similarity) == [Float(1 - 5.96046447754e-08), Float(1 - 0.136093735695), -0.5])
        }
    }

    @Test func `none is none`() throws {
        #expect(try SearchReply.hits(try self.parsed(self.map([]))).isEmpty)
        #expect(try SearchReply.hits(try self.parsed("*1\r\n:0\r\n")).isEmpty)
    }

    @Test func `a distance below zero is none, and one that is not a number no hit`() throws {
        let reply = self.map([
            self.row(0, self.distance("-1.19209289551e-07")), self.row(1, self.distance("-nan")),
            self.row(2, self.distance("nan")),
        ])
        let hits = try SearchReply.hits(try self.parsed(reply))
        #expect(hits.map(\.id) == [self.ids[0]] && hits[0].similarity == 1)
    }

    @Test func `a document that went while the search ran is passed over`() throws {
        let key = "$39\r\nsc:{a}:\(self.ids[0])\r\n"
        #expect(try SearchReply.hits(try self.parsed("*3\r\n:1\r\n\(key)$-1\r\n")).isEmpty)
        #expect(try SearchReply.hits(try self.parsed("*3\r\n:1\r\n\(key)*0\r\n")).isEmpty)
        #expect(try SearchReply.hits(try self.parsed(self.map([self.row(0, "_\r\n")]))).isEmpty)
    }

    @Test func `a search that came to its time limit is no answer`() throws {
        let reply = self.map([self.row(0, self.distance("0.1"))], warning: "*1\r\n+Timeout limit was reached\r\n")
        #expect(throws: VectorStoreError.self) { try SearchReply.hits(try self.parsed(reply)) }
    }

    @Test(arguments: [
        "+OK\r\n", ":1\r\n", "*2\r\n:1\r\n$3\r\nkey\r\n", "*3\r\n:1\r\n$3\r\nkey\r\n*0\r\n", "*0\r\n",
        "*3\r\n:1\r\n:2\r\n*0\r\n", "%1\r\n+results\r\n*1\r\n:1\r\n", "%1\r\n+results\r\n:5\r\n",
    ]) func `what no server of ours replies is an error`(reply: String) throws {
        #expect(throws: VectorStoreError.self) { try SearchReply.hits(try self.parsed(reply)) }
    }
}
