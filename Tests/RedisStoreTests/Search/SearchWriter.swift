// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Writes replies of a search module, for ``ScriptedSearch``: keys, order and types as recorded.
struct SearchWriter {
    let isRESP3: Bool

    func rows(_ rows: [(key: [UInt8], distance: Double)]) -> [UInt8] {
        var bytes =
            self.isRESP3
            ? Array("%5\r\n+attributes\r\n*0\r\n+format\r\n+STRING\r\n+results\r\n*\(rows.count)\r\n".utf8)
            : Array("*\(1 + 2 * rows.count)\r\n:\(rows.count)\r\n".utf8)
        for row in rows {
            let distance = row.distance.isNaN ? "-nan" : String(format: "%.12g", row.distance)
            let field = "$1\r\nd\r\n$\(distance.utf8.count)\r\n\(distance)\r\n"
            if self.isRESP3 { bytes += Array("%3\r\n+id\r\n".utf8) }
            bytes += Array("$\(row.key.count)\r\n".utf8) + row.key + Array("\r\n".utf8)
            bytes += Array(
                (self.isRESP3 ? "+extra_attributes\r\n%1\r\n\(field)+values\r\n*0\r\n" : "*2\r\n\(field)").utf8)
        }
        if self.isRESP3 { bytes += Array("+total_results\r\n:\(rows.count)\r\n+warning\r\n*0\r\n".utf8) }
        return bytes
    }

    func info(_ name: String, _ index: ScriptedSearch.Index) -> [UInt8] {
        let definition =
            self.map(3) + "+key_type\r\n+HASH\r\n+prefixes\r\n*1\r\n+\(index.prefix)\r\n+default_score\r\n"
            + (self.isRESP3 ? ",1\r\n" : "$1\r\n1\r\n")
        let tag =
            self.isRESP3
            ? "+SEPARATOR\r\n+,\r\n+flags\r\n*1\r\n+CASESENSITIVE\r\n" : "+SEPARATOR\r\n+,\r\n+CASESENSITIVE\r\n"
        let none = self.isRESP3 ? "+flags\r\n*0\r\n" : ""
        let vector =
            "+algorithm\r\n+\(index.type)\r\n+data_type\r\n+FLOAT32\r\n+dim\r\n:\(index.dimensions)\r\n"
            + "+distance_metric\r\n+COSINE\r\n"
        let attributes = [
            (self.isRESP3 ? "%5\r\n" : "*9\r\n") + self.field("p", "TAG") + tag,
            (self.isRESP3 ? "%5\r\n" : "*9\r\n") + self.field("t", "TAG") + tag,
            (self.isRESP3 ? "%4\r\n" : "*6\r\n") + self.field("x", "NUMERIC") + none,
            (self.isRESP3 ? "%4\r\n" : "*6\r\n") + self.field("c", "NUMERIC") + none,
            (self.isRESP3 ? "%8\r\n" : "*14\r\n") + self.field("v", "VECTOR") + vector + none,
        ]
        return Array(
            (self.map(6) + "+index_name\r\n+\(name)\r\n+index_options\r\n*0\r\n+index_definition\r\n" + definition
                + "+attributes\r\n*5\r\n" + attributes.joined()
                + "+hash_indexing_failures\r\n:0\r\n+indexing\r\n:0\r\n")
                .utf8)
    }

    private func map(_ pairs: Int) -> String { self.isRESP3 ? "%\(pairs)\r\n" : "*\(2 * pairs)\r\n" }

    private func field(_ name: String, _ type: String) -> String {
        "+identifier\r\n+\(name)\r\n+attribute\r\n+\(name)\r\n+type\r\n+\(type)\r\n"
    }
}
