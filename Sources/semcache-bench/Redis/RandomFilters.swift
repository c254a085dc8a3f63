// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension SeededGenerator {
    private mutating func below(_ limit: Int) -> Int { Int(self.next() % UInt64(limit)) }

    /// Attributes of few names and values, so that random filters take some entries; some lack some.
    mutating func attributes() -> [Attribute] {
        let languages = ["de", "en", "fr", "ja", "a|b", ""]
        var attributes: [Attribute] = []
        if self.uniform() < 0.9 {
            attributes.append(Attribute(name: "lang", value: .string(languages[self.below(languages.count)])))
        }
        if self.uniform() < 0.8 {
            attributes.append(Attribute(name: "score", value: .number(Double(self.below(40)) / 8 - 1)))
        }
        if self.uniform() < 0.5 { attributes.append(Attribute(name: "beta", value: .boolean(self.uniform() < 0.5))) }
        let tags = (0..<20).filter { _ in self.uniform() < 0.1 }.map { "doc-\($0)" }
        if !tags.isEmpty { attributes.append(Attribute(name: Attribute.tagsName, value: .strings(tags))) }
        return attributes
    }

    /// A filter of what ``attributes()`` makes: takes from nearly all to nearly none.
    mutating func filter() throws -> MetadataFilter { try MetadataFilter(self.condition(depth: 2)) }

    private mutating func condition(depth: Int) -> String {
        guard depth > 0, self.uniform() < 0.6 else { return (self.uniform() < 0.2 ? "not " : "") + self.comparison() }
        let parts = (0..<2 + self.below(2)).map { _ in self.condition(depth: depth - 1) }
        return "(\(parts.joined(separator: self.uniform() < 0.6 ? " and " : " or ")))"
    }

    private mutating func comparison() -> String {
        let tag = "\"doc-\(self.below(22))\""
        let number = Double(self.below(44)) / 8 - 1
        let all = [
            #"lang == "de""#, #"lang != "fr""#, #"lang in ["en", "ja", "none"]"#, #"lang == "a|b""#, #"lang == """#,
            #"lang >= "e""#, "score >= \(number)", "score < \(number)", "score == \(number)", "beta", "beta == false",
            "exists(score)", "tags contains \(tag)", "tags contains any [\(tag), \"doc-0\"]", #"lang == "none""#,
        ]
        return all[self.below(all.count)]
    }
}
