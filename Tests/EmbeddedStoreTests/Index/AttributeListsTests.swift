// SPDX-License-Identifier: Apache-2.0
import CacheModel
import Testing

@testable import EmbeddedStore

@Suite struct AttributeListsTests {
    @Test func `any sequence of additions and removals leaves what a dictionary would hold`() {
        var random = SeededGenerator(seed: 11)
        let lists = AttributeLists()
        var held: [(number: UInt32, text: [UInt8])] = []
        for round in 0..<20_000 {
            // Grows and shrinks, down to nothing now and then.
            if held.isEmpty || Int.random(in: 0..<100, using: &random) < (round / 3000 % 2 == 0 ? 70 : 30) {
                var attributes = random.attributes()
                if Bool.random(using: &random) {
                    attributes.append(Attribute(name: "n", value: .number(Double(random.next() % 500))))
                }
                let text = AttributesText.canonical(attributes)
                held.append((lists.add(text), text))
                let names = lists.attributes(held[held.count - 1].number).map(\.name)
                #expect(names == attributes.map(\.name).sorted())
            } else {
                lists.remove(held.remove(at: Int.random(in: 0..<held.count, using: &random)).number)
            }
            guard round % 500 == 0 else { continue }
            let numbers = Dictionary(grouping: held, by: \.text).mapValues { Set($0.map(\.number)) }
            #expect(numbers.values.allSatisfy { $0.count == 1 })
            #expect(lists.count == numbers.keys.count { !$0.isEmpty })
            for (number, text) in held { #expect(AttributesText.canonical(lists.attributes(number)) == text) }
        }
        for (number, _) in held { lists.remove(number) }
        #expect(lists.count == 0 && lists.bytes == 0)
    }

    @Test func `lists that differ only in their order are one, others are not`() {
        let lang = Attribute(name: "lang", value: .string("de")), score = Attribute(name: "score", value: .number(1))
        #expect(AttributesText.canonical([lang, score]) == AttributesText.canonical([score, lang]))
        let different: [[Attribute]] = [
            [], [lang], [score], [lang, score], [Attribute(name: "lang", value: .strings(["de"]))],
            [Attribute(name: "score", value: .boolean(true))], [Attribute(name: "score", value: .string("1"))],
            [Attribute(name: "l", value: .string("angde"))], [Attribute(name: "lang", value: .strings(["d", "e"]))],
            [Attribute(name: "e\u{301}", value: .number(1))], [Attribute(name: "\u{e9}", value: .number(1))],
        ]
        #expect(Set(different.map(AttributesText.canonical)).count == different.count)
    }

    @Test func `a filter is evaluated at most once for a list`() throws {
        let lists = AttributeLists()
        let number = lists.add(AttributesText.canonical([Attribute(name: "lang", value: .string("de"))]))
        var filter = ListFilter(try MetadataFilter(#"lang == "de""#), lists: lists)
        #expect(filter.takes(number) && !filter.takes(AttributeLists.none))
        // Once asked, the list itself is not needed any more.
        lists.removeAll()
        #expect(filter.takes(number) && !filter.takes(AttributeLists.none))
    }
}
