// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RedisClient

/// Replies of real servers, as they were recorded.
@Suite struct RESPRecordedTests {
    private static let vectorSearch =
        "%2\r\n$3\r\nel3\r\n*2\r\n,1.0000000596046448\r\n$42\r\n{\"n\": 3, \"lang\": \"de\", \"tags\": [\"a\", \"b\"]}\r\n$3\r\nel2\r\n"
        + "*2\r\n,0.8471474647521973\r\n$42\r\n{\"n\": 2, \"lang\": \"en\", \"tags\": [\"a\", \"b\"]}\r\n"

    private static let search =
        "%5\r\n+attributes\r\n*0\r\n+format\r\n+STRING\r\n+results\r\n*1\r\n%3\r\n+id\r\n$9\r\nsc1:e:exp\r\n"
        + "+extra_attributes\r\n%1\r\n$1\r\nd\r\n$17\r\n5.96046447754e-08\r\n+values\r\n*0\r\n+total_results\r\n:1\r\n"
        + "+warning\r\n*0\r\n"

    private static let searchOfVersion2 =
        "*5\r\n:2\r\n$8\r\nsc1:e:03\r\n*2\r\n$1\r\nd\r\n$17\r\n5.96046447754e-08\r\n$8\r\nsc1:e:11\r\n$-1\r\n"

    @Test(arguments: [1, 7, .max])
    func `replies of searches are read, however they are cut`(piece: Int) {
        #expect(
            messages(in: Self.vectorSearch, every: piece) == [
                "{'el3' [d1.0000000596046448 '{\"n\": 3, \"lang\": \"de\", \"tags\": [\"a\", \"b\"]}'] 'el2' "
                    + "[d0.8471474647521973 '{\"n\": 2, \"lang\": \"en\", \"tags\": [\"a\", \"b\"]}']}"
            ])
        #expect(
            messages(in: Self.search, every: piece) == [
                "{'attributes' [] 'format' 'STRING' 'results' [{'id' 'sc1:e:exp' 'extra_attributes' "
                    + "{'d' '5.96046447754e-08'} 'values' []}] 'total_results' 1 'warning' []}"
            ])
        #expect(
            messages(in: Self.searchOfVersion2, every: piece)
                == ["[2 'sc1:e:03' ['d' '5.96046447754e-08'] 'sc1:e:11' null]"])
        #expect(messages(in: "-Index already exists\r\n", every: piece) == ["error(Index already exists)"])
    }

    @Test(arguments: [
        ("WRONGPASS no", "WRONGPASS"), ("Index already exists", ""), ("MOVED 1 a:1", "MOVED"), ("ERR", "ERR"), ("", ""),
    ])
    func `an error is told apart by what it begins with`(text: String, prefix: String) {
        #expect(RESPServerError(text: text).prefix == prefix)
    }

    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
    ])
    func `a script is known by its digest`(source: String, digest: String) {
        #expect(RedisScript(source, isRepeatable: true).sha1 == digest)
    }
}
