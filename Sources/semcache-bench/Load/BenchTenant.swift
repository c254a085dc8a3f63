// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// A tenant of a server that is started, and the key by which it lets this process in as that tenant.
struct BenchTenant {
    let name: String
    /// Settings of the tenant, as the configuration has them.
    let quota: [(key: String, value: String)]
    private let key: String

    init(name: String, quota: [(key: String, value: String)] = []) {
        self.name = name
        self.quota = quota
        self.key = "smc_bench_" + (0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined()
    }

    var credential: Credential { .apiKey(self.key) }

    /// The configuration of a server that has these tenants and no others.
    static func configuration(_ tenants: [Self]) -> String {
        (["tenants:"] + tenants.flatMap(\.lines)).map { $0 + "\n" }.joined()
    }

    private var lines: [String] {
        ["  - name: \(self.name)", "    create_caches: true"] + self.quota.map { "    \($0.key): \($0.value)" } + [
            "    api_keys:", "      - sha256: \(Digest(ofAPIKey: self.key).hexadecimal)",
            "        roles: [\(Roles.all.names.joined(separator: ", "))]",
        ]
    }
}
