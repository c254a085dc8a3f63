// SPDX-License-Identifier: Apache-2.0

import NIOCore
import OpenSSLTLS
import Testing

@testable import RedisClient

@Suite struct RedisConfigurationTests {
    @Test(arguments: [
        ("redis://localhost", "redis://localhost:6379/0"),
        ("redis://localhost/", "redis://localhost:6379/0"),
        ("REDIS://cache-1.example.org:7000/15", "redis://cache-1.example.org:7000/15"),
        ("redis://[::1]", "redis://[::1]:6379/0"),
        ("redis://user:secret@[2001:db8::7]:6380/3", "redis://[2001:db8::7]:6380/3"),
        ("redis://:secret@127.0.0.1", "redis://127.0.0.1:6379/0"),
        ("redis+sentinel://a,b:5000,[::2]/cache", "redis+sentinel://a:26379,b:5000,[::2]:26379/cache/0"),
        ("redis+sentinel://u:secret@a/my%2Dcache/4", "redis+sentinel://a:26379/my-cache/4"),
        (
            "redis+sentinel://a/cache?sentinel_user=watch&sentinel_password=secret",
            "redis+sentinel://a:26379/cache/0"
        ),
        ("redis+cluster://a,b:7001", "redis+cluster://a:6379,b:7001"),
        ("redis+cluster://:secret@a/0", "redis+cluster://a:6379"),
        ("rediss://a", "rediss://a:6379/0"),
        ("rediss+sentinel://a/cache", "rediss+sentinel://a:26379/cache/0"),
        ("rediss+cluster://a", "rediss+cluster://a:6379"),
    ])
    func `a URL is understood, and shown without users and passwords`(url: String, shown: String) throws {
        let configuration = try RedisConfiguration(url: url)
        #expect("\(configuration)" == shown)
        #expect((configuration.security != nil) == url.hasPrefix("rediss"))
    }

    @Test func `user and password are percent-decoded`() throws {
        let plain = try RedisConfiguration(url: "redis://al%C3%A9:p%40%3a%2f%25:x@h")
        #expect(plain.credentials?.username == "alé")
        #expect(plain.credentials?.password == "p@:/%:x")
        #expect(plain.sentinelCredentials == nil)
        let url = "redis+sentinel://:a%20b@h/s?sentinel_password=c%26+d"
        let watched = try RedisConfiguration(url: url)
        #expect(watched.credentials?.username == nil)
        #expect(watched.credentials?.password == "a b")
        #expect(watched.sentinelCredentials?.username == nil)
        #expect(watched.sentinelCredentials?.password == "c&+d")
        #expect(watched.deployment == .sentinel([RedisAddress(host: "h", port: 26_379)], service: "s"))
    }

    @Test func `times and connections have defaults`() throws {
        let configuration = try RedisConfiguration(url: "redis://h")
        #expect(configuration.commandTimeout == .seconds(1))
        #expect(configuration.connectTimeout == .seconds(1))
        #expect(configuration.connectionsPerNode == 8)
        #expect(configuration.credentials == nil)
    }

    /// Each has the password somewhere, as far as it can.
    @Test(arguments: [
        "", "localhost", "redis", "redis:", "redis:/hunter2", "http://hunter2", "redis+unix:///hunter2", "://hunter2",
        "redis://", "redis:///0", "redis://:hunter2@", "redis://hunter2@h", "redis://:@h", "redis://u:@h",
        "redis://:hunter2@h:", "redis://:hunter2@h:0", "redis://:hunter2@h:65536", "redis://:hunter2@h:-1",
        "redis://:hunter2@h:+1", "redis://:hunter2@h:6379x", "redis://:hunter2@h:99999999999999999999",
        "redis://:hunter2@h/x", "redis://:hunter2@h/-1", "redis://:hunter2@h/65536", "redis://:hunter2@h/0/0",
        "redis://:hunter2@a,b", "redis://:hunter2@a,", "redis://:hunter2@h:1:2", "redis://:hunter2@::1",
        "redis://:hunter2@[::1", "redis://:hunter2@[]", "redis://:hunter2@[h]", "redis://:hunter2@[::1]x",
        "redis://:hunter2@h?timeout=1", "redis://:x@h?sentinel_password=hunter2", "redis://:hunter2@h#f",
        "redis://u:hun@ter2@h", "redis://u:hunter2/x@h", "redis://u:hunter2?x@h", "redis://u:hunter2#x@h",
        "redis://u:hunter2%@h", "redis://u:hunter2%4@h", "redis://u:hunter2%zz@h", "redis://u:hunter2%ff@h",
        "redis://u:hunter2@h%41", "redis://u:hunter 2@h", "redis://u:hünter2@h",
        "redis+sentinel://:hunter2@h", "redis+sentinel://:hunter2@h/", "redis+sentinel://:hunter2@h//0",
        "redis+sentinel://:hunter2@h/s/x", "redis+sentinel://:hunter2@h/s/0/0", "redis+sentinel://:hunter2@h/a%20b",
        "redis+sentinel://h/s?sentinel_user=hunter2", "redis+sentinel://h/s?sentinel_password=",
        "redis+sentinel://h/s?sentinel_password=hunter2&sentinel_password=b", "redis+sentinel://h/s?hunter2",
        "redis+sentinel://h/s?password=hunter2", "redis+sentinel://h/s?sentinel_password=hunter2&",
        "redis+cluster://:hunter2@a/1", "redis+cluster://:hunter2@a/0/0", "redis+cluster://:hunter2@a,,b",
    ])
    func `a wrong URL is an error that quotes none of it`(url: String) {
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        #expect(error?.code == .misconfigured)
        for secret in ["hun", "ter2", "hünter"] { #expect(error?.message.contains(secret) == false) }
    }

    @Test(arguments: ["redis://h", "redis+sentinel://h/s", "redis+cluster://h"])
    func `TLS that is set up for a URL that does not ask for it is an error`(url: String) throws {
        var tls = TLSClientConfiguration()
        tls.serverName = "cache.internal"
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: url, tls: tls) }
        #expect(error?.code == .misconfigured)
        #expect(error?.message.contains("write rediss instead of redis") == true)
    }

    @Test func `a file that TLS needs and that cannot be read is named`() throws {
        var tls = TLSClientConfiguration()
        tls.trust = .file("/none/ca.pem")
        let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: "rediss://:hunter2@h", tls: tls) }
        #expect(error?.code == .misconfigured)
        #expect(error?.message.contains("/none/ca.pem") == true)
        #expect(error?.message.contains("hunter2") == false)
    }

    @Test func `lengths and numbers are limited`() throws {
        let hosts = Array(repeating: "h", count: RedisLimits.maximumURLHosts)
        #expect(try RedisConfiguration(url: "redis+cluster://" + hosts.joined(separator: ",")).security == nil)
        for url in [
            "redis+cluster://" + (hosts + ["h"]).joined(separator: ","),
            "redis://" + String(repeating: "h", count: RedisLimits.maximumHostBytes + 1),
            "redis://:" + String(repeating: "p", count: RedisLimits.maximumURLBytes) + "@h",
        ] {
            #expect(throws: RedisError.self) { try RedisConfiguration(url: url) }
        }
    }

    @Test func `no way of printing it shows a secret`() throws {
        let url = "redis+sentinel://alice:hunter2@h/s?sentinel_user=bob&sentinel_password=swordfish"
        let configuration = try RedisConfiguration(url: url)
        var dumped = ""
        dump(configuration, to: &dumped)
        dump(configuration.credentials, to: &dumped)
        let texts = [
            "\(configuration)", String(reflecting: configuration), String(describing: [configuration]), dumped,
            "\(configuration.credentials as Any)", String(reflecting: configuration.sentinelCredentials),
            String(describing: Mirror(reflecting: configuration).children.map { $0.value }),
        ]
        for text in texts {
            for secret in ["alice", "hunter2", "bob", "swordfish"] { #expect(!text.contains(secret), "\(text)") }
        }
    }
}
