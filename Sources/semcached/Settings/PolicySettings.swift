// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel

/// What a cache's policy may name, by the words that name it.
struct PolicyNames {
    let embedders: [String: String]
    /// With the word for none.
    let judges: [String: String?]
}

extension CachePolicy {
    /// Keys of a cache's policy.
    static let keys: Set<String> = [
        "similarity_threshold", "similarity_floor", "ttl", "stale_ttl", "maximum_ttl", "ttl_jitter", "fail_open",
        "embedder", "decision", "error_budget", "wrong_hit_limit", "shadow", "guards", "normalize", "judge",
        "prompt_window", "prompt_roles", "ignore_system_messages", "maximum_messages", "maximum_response",
    ]

    /// Reads a policy; what is not given is as in `defaults`.
    ///
    /// - Parameter prefix: Of the keys.
    /// - Throws: ``SettingsError``.
    init(
        _ source: some SettingsReader, prefix: String = "",
        defaults: CachePolicy = CachePolicy(decision: DecisionPolicy()),
        names: PolicyNames
    ) throws {
        let threshold = try source.number(prefix + "similarity_threshold", in: -1...1)
        let floor = try source.number(prefix + "similarity_floor", in: -1...1)
        let roles = try source.words(prefix + "prompt_roles").map(Set.init)
        self.init(
            similarityThreshold: threshold.map { Float($0) } ?? defaults.similarityThreshold,
            similarityFloor: floor.map { Float($0) } ?? defaults.similarityFloor,
            timeToLive: try source.duration(prefix + "ttl", atLeast: .milliseconds(1)) ?? defaults.timeToLive,
            staleTimeToLive: try source.duration(prefix + "stale_ttl", atLeast: .zero) ?? defaults.staleTimeToLive,
            maximumTimeToLive: try source.duration(prefix + "maximum_ttl", atLeast: .milliseconds(1))
                ?? defaults.maximumTimeToLive,
            timeToLiveJitter: try source.number(prefix + "ttl_jitter", in: 0...0.5) ?? defaults.timeToLiveJitter,
            failsOpen: try source.boolean(prefix + "fail_open") ?? defaults.failsOpen,
            prompt: PromptPolicy(
                window: try source.integer(prefix + "prompt_window", in: 1...Limits.maximumMessages)
                    ?? defaults.prompt.window,
                roles: roles ?? defaults.prompt.roles,
                ignoresSystemMessages: try source.boolean(prefix + "ignore_system_messages")
                    ?? defaults.prompt.ignoresSystemMessages,
                maximumMessages: try source.integer(prefix + "maximum_messages", in: 1...Limits.maximumMessages)
                    ?? defaults.prompt.maximumMessages),
            maximumResponseBytes: try source.bytes(prefix + "maximum_response", in: 1...Limits.maximumResponseBytes)
                ?? defaults.maximumResponseBytes,
            embedder: try source.choice(prefix + "embedder", names.embedders) ?? defaults.embedder,
            decision: try DecisionPolicy(
                source, prefix: prefix, defaults: defaults.decision, judges: names.judges))
        try self.check { source.name(of: prefix + $0) }
    }

    private func check(_ name: (String) -> String) throws {
        guard self.similarityThreshold >= self.similarityFloor else {
            throw SettingsError("\(name("similarity_threshold")) is below \(name("similarity_floor"))")
        }
        guard self.timeToLive <= self.maximumTimeToLive else {
            throw SettingsError("\(name("ttl")) is longer than \(name("maximum_ttl"))")
        }
        guard self.maximumTimeToLive <= Limits.maximumTimeToLive else {
            throw SettingsError("\(name("maximum_ttl")) is longer than \(Limits.maximumTimeToLive)")
        }
        guard !self.prompt.roles.isEmpty, !self.prompt.roles.contains("") else {
            throw SettingsError("\(name("prompt_roles")) has an empty role")
        }
    }
}

extension TenantPolicy {
    /// Keys of a tenant's policy.
    static let keys: Set<String> = [
        "similarity_floor", "maximum_ttl", "entries", "bytes", "requests_per_second", "burst", "calls_in_flight",
        "maximum_request", "caches", "create_caches", "template",
    ]

    /// Reads a tenant's policy.
    ///
    /// - Parameter defaults: What its caches are like but for what they say themselves.
    /// - Throws: ``SettingsError``.
    init(_ node: SettingsNode, cache defaults: CachePolicy, names: PolicyNames) throws {
        let most = 1...Int(Int32.max)
        let quota = TenantQuota(
            entries: try node.integer("entries", in: 1...Int.max),
            bytes: try node.bytes("bytes", in: 1...Int.max),
            requestsPerSecond: try node.number("requests_per_second", in: 0.001...1e9),
            burst: try node.integer("burst", in: most),
            callsInFlight: try node.integer("calls_in_flight", in: most) ?? Limits.tenantCallsInFlight,
            requestBytes: try node.bytes("maximum_request", in: 1...Limits.maximumFrameBytes))
        if quota.burst != nil, quota.requestsPerSecond == nil {
            throw SettingsError("\(node.name(of: "burst")) needs requests_per_second")
        }
        if let rate = quota.requestsPerSecond, let burst = quota.burst, Double(burst) < rate / 100 {
            // The clock tells milliseconds, and what is read together counts as come together.
            throw SettingsError("\(node.name(of: "burst")) must be at least a hundredth of requests_per_second")
        }
        let caches = try node.list("caches")
        let template = try Self.template(node, defaults, names)
        guard template != nil || !caches.isEmpty else {
            throw SettingsError(
                "\(node.path) has no caches: declare some, or say create_caches: true, and any name is one from its "
                    + "first use on")
        }
        self.init(
            similarityFloor: try node.number("similarity_floor", in: -1...1).map { Float($0) } ?? -1,
            maximumTimeToLive: try node.duration("maximum_ttl", atLeast: .milliseconds(1))
                ?? Limits.maximumTimeToLive,
            quota: quota, template: template)
        for cache in caches {
            try cache.check(keys: CachePolicy.keys.union(["name"]))
            let name = try cache.requiredName(limit: Limits.maximumCacheNameBytes)
            guard !self.declares(name) else { throw SettingsError("\(cache.path).name is that of another cache") }
            self.declare(name, try CachePolicy(cache, defaults: defaults, names: names))
        }
    }

    private static func template(
        _ node: SettingsNode, _ defaults: CachePolicy, _ names: PolicyNames
    ) throws -> CachePolicy? {
        let creates = try node.boolean("create_caches")
        guard let template = try node.mapping("template") else { return creates == true ? defaults : nil }
        guard creates != false else { throw SettingsError("\(node.path) has a template, and create_caches is false") }
        try template.check(keys: CachePolicy.keys)
        return try CachePolicy(template, defaults: defaults, names: names)
    }
}

extension SettingsNode {
    /// A name, which may hold anything but NUL.
    func requiredName(limit: Int) throws -> String {
        guard let name = try self.exactString("name"), !name.isEmpty else {
            throw SettingsError("\(self.path).name is missing or empty")
        }
        try Self.check(name, self.name(of: "name"), limit: limit)
        return name
    }

    static func check(_ name: String, _ path: String, limit: Int) throws {
        guard !name.isEmpty, name.utf8.count <= limit, !name.utf8.contains(0) else {
            throw SettingsError("\(path) must have 1 to \(limit) bytes and no NUL")
        }
    }
}
