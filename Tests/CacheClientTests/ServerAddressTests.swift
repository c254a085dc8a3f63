// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Testing

struct ServerAddressTests {
    @Test(arguments: [
        ("localhost", "localhost", 7070), ("cache.internal:80", "cache.internal", 80), ("10.0.0.1:1", "10.0.0.1", 1),
        ("[::1]:7071", "::1", 7071), ("[::1]", "::1", 7070), ("::1", "::1", 7070),
        ("fe80::1%eth0", "fe80::1%eth0", 7070),
        ("semcached://a:65535", "a", 65_535), ("SEMCACHED://a/", "a", 7070), ("semcached://[fe80::2]:9", "fe80::2", 9),
    ])
    func `an address is read`(text: String, host: String, port: Int) throws {
        let address = try ServerAddress(text)
        #expect(address == ServerAddress(host: host, port: port))
        #expect(try ServerAddress(address.description) == address)
    }

    @Test(arguments: [
        ("semcached+tls://a", "semcached+tls://a:7070"), ("SEMCACHED+TLS://a:1/", "semcached+tls://a:1"),
        ("semcached+tls://[::1]:9", "semcached+tls://[::1]:9"),
    ])
    func `an address says that TLS is spoken there`(text: String, description: String) throws {
        let address = try ServerAddress(text)
        #expect(address.usesTLS)
        #expect(address.description == description)
        #expect(try ServerAddress(description) == address)
        #expect(try !ServerAddress("semcached://\(address.host)").usesTLS)
    }

    @Test(arguments: [
        "", ":7070", "a:", "a:0", "a:65536", "a:-1", "a:x", "http://a", "semcached://", "semcached://a/b",
        "a b", "a\n", "[::1", "[::1]x", "[a]:1", "user@a", "a:+5", "semcached+ssl://a", "semcached+tls://",
        "semcached+tls://a/b", "a:٣",
    ])
    func `what is no address is refused`(text: String) {
        let error = #expect(throws: CacheClientError.self) { try ServerAddress(text) }
        #expect(error?.code == .invalidArgument)
    }
}
