// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

private let now = Timestamp(milliseconds: 1)

/// What must be true when callers have ended.
extension LedgerLoad {
    /// Finds every item exactly and by its vector, compares with what was acknowledged, with sizes and with all keys.
    ///
    /// - Parameter server: Which has a key.
    func inspect(_ server: (String) async throws -> RedisServer) async throws {
        for item in self.items {
            let before = self.ledger.record(of: item)
            let exact = try await self.inspector.entry(item.id, in: item.partition, at: now)
            self.judge(item, exact, before, "exact")
            let query = NearestQuery(embedding: item.vector, count: 1, threshold: 0.999)
            let nearest = try await self.inspector.nearest(query, in: item.partition, at: now).matches.first?.entry
            #expect(nearest == exact)
        }
        #expect(self.ledger.violations == [])
        let found = try await self.versions()
        for tenant in self.tenants {
            try await self.checkSizes(of: tenant, found)
            for keys in self.inspector.layout.keys(of: tenant) {
                let problems = try await problems(of: keys, on: server)
                #expect(problems == [])
            }
        }
    }

    /// Reads all.
    ///
    /// - Returns: By item; `nil` where nothing is there.
    func versions() async throws -> [Int?] {
        var versions: [Int?] = []
        for item in self.items {
            let entry = try await self.inspector.entry(item.id, in: item.partition, at: now)
            versions.append(entry.flatMap { item.version(of: $0) })
        }
        return versions
    }

    private func checkSizes(of tenant: TenantScope, _ found: [Int?]) async throws {
        let size = try await self.inspector.sizes(of: tenant, identities: [LedgerItem.identityKey], at: now)
        var (entries, bytes) = (0, 0)
        var caches: [String: (entries: Int, bytes: Int)] = [:]
        for item in self.items where item.partition.cache.tenant == tenant {
            guard let version = found[item.index] else { continue }
            let entry = item.entry(version: version)
            entries += 1
            bytes += entry.quotaBytes(dimensions: LedgerItem.dimensions)
            caches[item.partition.cache.name, default: (0, 0)].entries += 1
            caches[item.partition.cache.name]?.bytes += entry.response.count
        }
        #expect(size.entries == entries && size.bytes == bytes && size.orphanedEntries == 0)
        #expect(size.caches.count == caches.count)
        for cache in size.caches {
            let expected = caches[cache.cache]
            #expect(cache.entries == expected?.entries && cache.responseBytes == expected?.bytes)
        }
    }
}

/// What does not fit together in the keys of a shard of a tenant, as a script of our own on the server sees it.
func problems(
    of keys: TenantKeys, on server: (String) async throws -> RedisServer
) async throws -> [String] {
    let hash = String(decoding: keys.entries.bytes, as: UTF8.self)
    let answer = try await server(hash).command("EVAL", inspection, "1", hash)
    return answer.items.map(\.description)
}

private let inspection = """
    local prefix = string.sub(KEYS[1], 1, -2)
    local problems, homes, owners, total, bytes = {}, {}, {}, 0, 0
    local function report(...) if #problems < 20 then problems[#problems + 1] = table.concat({...}, ' ') end end
    local function hex(id) return (string.gsub(id, '.', function(c) return string.format('%02x', string.byte(c)) end)) end
    local flat = redis.call('HGETALL', KEYS[1])
    for at = 1, #flat, 2 do
        local id, blob = flat[at], flat[at + 1]
        local home, expiry = string.sub(blob, 10, 41), struct.unpack('>i8', blob, 42)
        local quota, response = struct.unpack('>I4I4', blob, 58)
        local descriptor = redis.call('HGET', prefix .. 'm', home)
        if not descriptor then report('no descriptor of', home) end
        local owner = string.sub(descriptor or '', 1, 64)
        homes[home] = homes[home] or {number = 0, owner = owner, first = expiry}
        homes[home].number, homes[home].first = homes[home].number + 1, math.min(homes[home].first, expiry)
        owners[owner] = owners[owner] or {number = 0, response = 0}
        owners[owner].number, owners[owner].response = owners[owner].number + 1, owners[owner].response + response
        total, bytes = total + 1, bytes + quota
        if tonumber(redis.call('ZSCORE', prefix .. 'x:' .. home, id)) ~= expiry then report('expiry of', hex(id)) end
        if not redis.call('ZSCORE', prefix .. 'i:' .. home, id) then report('not in order:', hex(id)) end
        if not redis.call('ZSCORE', prefix .. 'u:' .. home, id) then report('not in uses:', hex(id)) end
        if not redis.call('VEMB', prefix .. 'v:' .. home, id) then report('no vector:', hex(id)) end
    end
    local count = 0
    for home, its in pairs(homes) do
        count = count + 1
        for _, kind in ipairs({'x:', 'i:', 'u:'}) do
            local card = redis.call('ZCARD', prefix .. kind .. home)
            if card ~= its.number then report(kind .. home, 'has', card, 'instead of', its.number) end
        end
        local card = redis.call('VCARD', prefix .. 'v:' .. home)
        if card ~= its.number then report('v:' .. home, 'has', card, 'instead of', its.number) end
        local due = redis.call('ZSCORE', prefix .. 'd', home)
        if not due or tonumber(due) > its.first then report('due of', home) end
        if not redis.call('ZSCORE', prefix .. 'p', string.sub(its.owner, 1, 32) .. home) then report('not listed', home) end
        if not redis.call('HGET', prefix .. 'c', string.sub(its.owner, 1, 32)) then report('no name of the cache of', home) end
    end
    for kind, command in pairs({m = 'HLEN', p = 'ZCARD', d = 'ZCARD'}) do
        local number = redis.call(command, prefix .. kind)
        if number ~= count then report(kind, 'has', number, 'instead of', count) end
    end
    local function account(field) return tonumber(redis.call('HGET', prefix .. 'a', field) or 0) end
    if account('n') ~= total then report('n is', account('n'), 'instead of', total) end
    if account('b') ~= bytes then report('b is', account('b'), 'instead of', bytes) end
    local fields = 0
    for owner, its in pairs(owners) do
        fields = fields + 2
        if account(owner .. 'n') ~= its.number then report('n of an owner is', account(owner .. 'n')) end
        if account(owner .. 'r') ~= its.response then report('r of an owner is', account(owner .. 'r')) end
    end
    for _, field in ipairs(redis.call('HKEYS', prefix .. 'a')) do if #field == 65 then fields = fields - 1 end end
    if fields ~= 0 then report('fields of the account are off by', fields) end
    for _, key in ipairs(redis.call('KEYS', prefix .. '*')) do
        local kind, home = string.sub(key, #prefix + 1, #prefix + 2), string.sub(key, #prefix + 3)
        if #kind == 2 and not (string.find('x:i:u:v:', kind, 1, true) and homes[home]) then report('orphan', kind .. home) end
    end
    return problems
    """
