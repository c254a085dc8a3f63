// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// A name in ASCII, another for every other name: equality of strings takes spellings of one character for the same.
func ascii(_ name: String) -> String { name.unicodeScalars.map { $0.escaped(asASCII: true) }.joined() }

/// Fifty names that other systems have mistaken for one another, or for a pattern or a piece of a query.
let adversarialNames: [String] = {
    let a = TenantScope(authenticated: TenantID("a"))
    let identity = EmbeddingIdentity(provider: "test", model: "hashing", dimensions: 64, revision: "1")
    let partition = Partition(of: CacheScope("support", of: a), embedding: identity, vary: [])
    // What others are named by in a store.
    let digests = [
        a.tenant.key.hexadecimal, CacheScope("support", of: a).key.hexadecimal, partition.key.hexadecimal,
        String(a.tenant.key.hexadecimal.prefix(32)),
    ]
    let long = (298...300).map { String(repeating: "x", count: $0) }
    // One in NFC, NFD, and a third spelling that both are canonically equal to.
    let spellings = ["caf\u{e9}", "cafe\u{301}", "\u{c5}", "A\u{30a}", "\u{212b}"]
    let plain = [
        "a|b", "a", "b", "ab", "A", "", "*", "\n", "a\n", "a\nb", "\u{1f600}", "\u{1f600}\u{1f600}", "default", "a b",
        " a", "a ", "a\tb", "a*", "?", "[a]", "{a}", "@tenant:{a}", "a\\", "\\", "\"", "a' OR '1'='1", "%", "_",
        "tenant1", "tenant10", "tenant1:", "a:b", "a/b", "../a", "||", "null", "0", "-",
    ]
    let names = digests + long + spellings + plain
    precondition(names.count == 50 && Set(names.map { Array($0.utf8) }).count == 50, "\(names.count) names")
    return names
}()
