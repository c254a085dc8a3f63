// SPDX-License-Identifier: Apache-2.0

import RedisClient

/// The changes of a store, each one script and so done as a whole or not at all.
///
/// All may be run again after an unknown outcome. KEYS[1] is the hash of entries of a shard (``TenantKeys/entries``), from
/// which the names of all others are derived. Every key that a script changes is declared all the same: while a cluster
/// moves a slot, some keys are here and some are there, and only by declared ones it knows to refuse the whole
/// (`TRYAGAIN`). So a slot that is being moved takes no changes until it has arrived. Times are the caller's, in ms.
struct StoreScripts: Sendable {
    let put: RedisScript
    let remove: RedisScript
    let touch: RedisScript
    let measure: RedisScript
    let heads: RedisScript
    /// Of the lease of one replica for one shard.
    let renew: RedisScript
    let confirm: RedisScript
    let strike: RedisScript
    let leases: LeaseScripts
    let decisions: DecisionScripts

    /// - Parameter index: ``VectorIndex/lua``.
    init(index: String) {
        let prelude = Self.beginning + Self.leasing + index + Self.accounting + Self.announcing
        // Refused by the server as a whole, before it begins, where the memory is full.
        self.put = RedisScript("#!lua\n" + prelude + Self.eviction + Self.putting, isRepeatable: true)
        // Removals must work just there.
        self.remove = RedisScript("#!lua flags=allow-oom\n" + prelude + Self.removing, isRepeatable: true)
        self.touch = RedisScript("#!lua flags=allow-oom\n" + prelude + Self.touching, isRepeatable: true)
        self.measure = RedisScript("#!lua flags=no-writes\n" + prelude + Self.measuring, isRepeatable: true)
        self.heads = RedisScript("#!lua flags=no-writes\n" + prelude + Self.reading, isRepeatable: true)
        let coherence = "#!lua flags=allow-oom\n" + Self.beginning + Self.announcing
        self.renew = RedisScript(coherence + Self.renewing, isRepeatable: true)
        self.confirm = RedisScript(coherence + Self.confirming, isRepeatable: true)
        self.strike = RedisScript(coherence + Self.striking, isRepeatable: true)
        self.decisions = DecisionScripts(prelude: Self.beginning + Self.announcing)
        self.leases = LeaseScripts(prelude: Self.beginning + Self.leasing + Self.announcing)
    }

    private static let beginning = """
        local entries = KEYS[1]
        local prefix = string.sub(entries, 1, -2)
        local tag = string.match(prefix, '{.-}')
        local partitions, directory, account = prefix .. 'm', prefix .. 'p', prefix .. 'a'
        local names, due, versions, tokens = prefix .. 'c', prefix .. 'd', prefix .. 'e', prefix .. 't'
        local register = prefix .. 'r'

        local function text(number) return string.format('%.0f', number) end
        local function milliseconds()
            local time = redis.call('TIME')
            return time[1] * 1000 + math.floor(time[2] / 1000)
        end
        local function is_late(fence) return fence ~= '0' and milliseconds() > tonumber(fence) end
        -- Why a change must not begin; nil if it may.
        local function refusal()
            -- While a cluster moves the slot away, a key that is not there cannot even be asked for. One that a script
            -- removes is not there any more: it would end in the middle. There is no such key.
            if type(redis.pcall('EXISTS', prefix .. '-')) == 'table' then
                return redis.error_reply('TRYAGAIN the slot is being moved')
            end
        end
        -- Its caller has been told that it failed, and may have made other changes since, which it would undo.
        local function lateness() return redis.error_reply('LATE the time is over') end
        -- A blob, or nil for what cannot be one.
        local function blob_of(id)
            local blob = redis.call('HGET', entries, id)
            if blob and #blob >= 65 then return blob end
        end
        local function token_of(blob) return string.sub(blob, 2, 9) end
        local function partition_of(blob) return string.sub(blob, 10, 41) end
        local function expiry_of(blob) return struct.unpack('>i8', blob, 42) end
        local function owner_of(partition)
            return string.sub(redis.call('HGET', partitions, partition) or '', 1, 64)
        end


        """

    private static let accounting = """
        local function count(owner, number, bytes, response)
            redis.call('HINCRBY', account, 'n', number)
            redis.call('HINCRBY', account, 'b', bytes)
            if owner == '' then return end
            local left = redis.call('HINCRBY', account, owner .. 'n', number)
            redis.call('HINCRBY', account, owner .. 'r', response)
            if left <= 0 then redis.call('HDEL', account, owner .. 'n', owner .. 'r') end
        end

        -- Takes an entry out of everything but the index. Without a blob it was lost, or was never one.
        local function unlist(owner, partition, id, blob)
            redis.call('HDEL', entries, id)
            redis.call('ZREM', prefix .. 'i:' .. partition, id)
            redis.call('ZREM', prefix .. 'u:' .. partition, id)
            if redis.call('ZREM', prefix .. 'x:' .. partition, id) == 1 then
                local quota, response = 0, 0
                if blob then quota, response = struct.unpack('>I4I4', blob, 58) end
                count(owner, -1, -quota, -response)
            end
            if redis.call('EXISTS', prefix .. 'x:' .. partition) == 0 then
                redis.call('HDEL', partitions, partition)
                redis.call('ZREM', due, partition)
                local cache = string.sub(owner, 1, 32)
                redis.call('ZREM', directory, cache .. partition)
                local low, high = '[' .. cache, '[' .. cache .. 'g'
                if #redis.call('ZRANGEBYLEX', directory, low, high, 'LIMIT', 0, 1) == 0 then
                    redis.call('HDEL', names, cache)
                end
            end
        end

        -- Uses within one ms are in their order too.
        local function use_at(time)
            return text(time * 4096 + redis.call('HINCRBY', versions, 'uses', 1) % 4096)
        end

        local function advance(cache)
            redis.call('HINCRBY', versions, 'sequence', 1)
            if cache ~= '' then redis.call('HINCRBY', versions, cache, 1) end
        end

        """

    /// Makes room for a put. Of more than 64 partitions, 64 are looked at, drawn at random. Their keys are not declared: that the
    /// slot is not being moved was found out before.
    private static let eviction = """
        local function use_of(partition, id)
            return tonumber(redis.call('ZSCORE', prefix .. 'u:' .. partition, id)) or 0
        end

        local function least_valuable(now)
            local looked
            if redis.call('HLEN', partitions) <= 64 then looked = redis.call('HKEYS', partitions)
            else looked = redis.call('HRANDFIELD', partitions, 64) end
            local best, home, used, is_expired
            for _, partition in ipairs(looked) do
                local expiries, uses = prefix .. 'x:' .. partition, prefix .. 'u:' .. partition
                local dead = redis.call('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, 1)
                local found = dead
                if #dead == 0 and not is_expired then found = redis.call('ZRANGE', uses, 0, 0) end
                for _, id in ipairs(found) do
                    local use = use_of(partition, id)
                    if not best or (#dead > 0 and not is_expired) or use < used then
                        best, home, used, is_expired = id, partition, use, #dead > 0
                    end
                end
            end
            return best, home
        end

        local function evict(now, limit, allowed, bytes, size)
            local evicted = {}
            while #evicted < limit * 2 do
                local held = redis.call('HMGET', account, 'n', 'b')
                local number, taken = tonumber(held[1] or 0), tonumber(held[2] or 0)
                if number == 0 or ((not allowed or number < allowed) and (not bytes or taken + size <= bytes)) then
                    break
                end
                local id, partition = least_valuable(now)
                if not id then break end
                local owner = owner_of(partition)
                index_remove(owner, partition, id)
                unlist(owner, partition, id, blob_of(id))
                evicted[#evicted + 1] = string.sub(owner, 1, 32)
                evicted[#evicted + 1] = id
            end
            return evicted
        end

        """

    /// ARGV: 1 now, 2 fence (ms by the server's clock; 0: none), 3 partition, 4 id, 5 blob without its first byte,
    /// 6 vector, 7 extra, 8 descriptor, 9 cache name, 10 and 11 quota of entries and bytes ('': none), 12 most evictions,
    /// 13 nonce of the lease under which it is done ('': none),
    /// 14 what the other replicas are told.
    ///
    /// Returns whether a live entry was replaced, the server's time, cache keys and ids of what was evicted in turn, and
    /// the witnesses.
    private static let putting = """
        local now, partition, id, blob = tonumber(ARGV[1]), ARGV[3], ARGV[4], ARGV[5]
        local refused = refusal()
        if refused then return refused end
        local owner, token = string.sub(ARGV[8], 1, 64), string.sub(blob, 1, 8)
        local expires, created, quota, response = struct.unpack('>i8i8I4I4', blob, 41)
        local old = blob_of(id)
        -- It was done, and what it stored may be gone again by now.
        local done = redis.call('ZSCORE', tokens, token)
        if done then
            local replaced = old and token_of(old) == token and tonumber(string.sub(old, 1, 1)) or 0
            return {replaced, text(milliseconds()), {}, witnesses()}
        end
        if is_late(ARGV[2]) then return lateness() end
        local lease = lease_of(id)
        if ARGV[13] ~= '' and not holds(lease, ARGV[13], string.sub(owner, 1, 32)) then return is_over() end
        -- First what can fail.
        local added = index_put(owner, partition, id, ARGV[6], ARGV[7], text(expires), text(created))
        if type(added) == 'table' and added.err then return added end
        local replaces = '0'
        if old then
            if expiry_of(old) > now then replaces = '1' end
            unlist(owner, partition, id, old)
        end
        local evicted = {}
        if ARGV[10] ~= '' or ARGV[11] ~= '' then
            evicted = evict(text(now), tonumber(ARGV[12]), tonumber(ARGV[10]), tonumber(ARGV[11]), quota)
        end
        redis.call('HSET', entries, id, replaces .. blob)
        redis.call('ZADD', prefix .. 'x:' .. partition, text(expires), id)
        redis.call('ZADD', prefix .. 'i:' .. partition, 0, id)
        redis.call('ZADD', prefix .. 'u:' .. partition, use_at(now), id)
        if redis.call('HSETNX', partitions, partition, ARGV[8]) == 1 then
            redis.call('ZADD', directory, 0, string.sub(owner, 1, 32) .. partition)
            redis.call('HSET', names, string.sub(owner, 1, 32), ARGV[9])
        end
        redis.call('ZADD', due, 'LT', text(expires), partition)
        -- Until it cannot come again.
        redis.call('ZREMRANGEBYSCORE', tokens, '-inf', text(milliseconds()))
        if ARGV[2] ~= '0' then redis.call('ZADD', tokens, ARGV[2], token) end
        count(owner, 1, quota, response)
        advance('')
        redis.call('UNLINK', lease)
        for position = 1, #evicted, 2 do tell_removed(evicted[position], evicted[position + 1]) end
        tell(ARGV[14])
        return {tonumber(replaces), text(milliseconds()), evicted, witnesses()}
        """
}
