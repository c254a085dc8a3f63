// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The real programs with tenants, keys and a settings file.
@Suite(.timeLimit(.minutes(2))) struct TenantTests {
    private static func tenant(_ name: String, _ digest: String, _ roles: String, _ more: String = "") -> String {
        """
          - name: "\(name)"
            create_caches: true
            \(more)
            api_keys: [{sha256: \(digest), roles: [\(roles)]}]

        """
    }

    @Test func `tenants with keys see their own, by their roles`() async throws {
        let (acme, globex, reader) = (
            try await Programs.newKey(), try await Programs.newKey(), try await Programs.newKey()
        )
        let file =
            "tenants:\n" + Self.tenant("acme", acme.digest, "read, write, admin")
            + Self.tenant("a|b*", globex.digest, "read, write, invalidate, admin")
            + "gateways:\n  - {sha256: \(reader.digest), roles: [read], tenants: [acme]}\n"
        // Beyond loopback it may listen now.
        let service = try await RunningService(settings: ["server.host=0.0.0.0"], file: file)
        let stored = try await service.semcache(key: acme.key, "store", "What are your opening hours?", "Nine to five.")
        #expect(stored.status == 0, "\(stored.errors)")
        let hit = try await service.semcache(key: acme.key, "lookup", "When do you open?", "--threshold", "0.6")
        #expect(hit.status == 0 && hit.output.contains("Nine to five."), "\(hit.errors)")
        #expect(try await service.semcache(key: globex.key, "lookup", "What are your opening hours?").status == 1)
        let denied = try await service.semcache(key: acme.key, "invalidate", "--all")
        #expect(denied.status == 2 && denied.errors.contains("invalidate"), "\(denied.errors)")
        let other = try await service.semcache(key: globex.key, "stats")
        #expect(!other.output.contains("acme"))
        let named = try await service.semcache(
            key: reader.key, "lookup", "What are your opening hours?", "--tenant", "acme")
        #expect(named.status == 0, "\(named.errors)")
        let foreign = try await service.semcache(
            key: reader.key, "lookup", "What are your opening hours?", "--tenant", "a|b*")
        #expect(foreign.status == 2)
        let stranger = try await service.semcache("lookup", "What are your opening hours?")
        #expect(stranger.status == 2 && stranger.errors.lowercased().contains("credential"), "\(stranger.errors)")
        #expect(try await service.semcache(key: acme.key + "x", "ping").status == 2)
        #expect(await service.stop(SIGTERM) == 0)
        for secret in [acme.key, "opening hours", "Nine to five"] { #expect(!service.logged.contains(secret)) }
    }

    @Test func `SIGHUP puts tenants and keys in force, and wrong settings change nothing`() async throws {
        let (old, new) = (try await Programs.newKey(), try await Programs.newKey())
        let service = try await RunningService(file: "tenants:\n" + Self.tenant("acme", old.digest, "read, write"))
        #expect(try await service.semcache(key: old.key, "store", "q", "a").status == 0)
        let refused = try await service.reload("tenants:\n" + Self.tenant("acme", "abc", "read"))
        #expect(refused.contains("not reloaded") && refused.contains("sha256"))
        #expect(try await service.semcache(key: old.key, "lookup", "q").status == 0)
        let line = try await service.reload(
            "server:\n  threads: 7\ntenants:\n"
                + Self.tenant("acme", new.digest, "read, write", "entries: 1"))
        #expect(line.contains("server.threads"), "\(line)")
        #expect(try await service.semcache(key: old.key, "lookup", "q").status == 2)
        #expect(try await service.semcache(key: new.key, "lookup", "q").status == 0)
        // The quota is in force.
        #expect(try await service.semcache(key: new.key, "store", "an unlike question", "b").status == 0)
        #expect(try await service.semcache(key: new.key, "lookup", "--mode", "exact", "q").status == 1)
        #expect(await service.stop(SIGTERM) == 0)
    }
}
