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

    /// - Parameter index: ``VectorIndex/lua``.
    init(index: String) {
        // Refused by the server as a whole, before it begins, where the memory is full.
        self.put = RedisScript("#!lua\n" + Self.prelude + index + Self.eviction + Self.putting, isRepeatable: true)
        // Removals must work just there.
        self.remove = RedisScript(
            "#!lua flags=allow-oom\n" + Self.prelude + index + Self.removing, isRepeatable: true)
        self.touch = RedisScript("#!lua flags=allow-oom\n" + Self.prelude + Self.touching, isRepeatable: true)
        self.measure = RedisScript("#!lua flags=no-writes\n" + Self.prelude + Self.measuring, isRepeatable: true)
    }

    private static let prelude = """
        local entries = KEYS[1]
        local prefix = string.sub(entries, 1, -2)
        local tag = string.match(prefix, '{.-}')
        local partitions, directory, account = prefix .. 'm', prefix .. 'p', prefix .. 'a'
        local names, due, versions = prefix .. 'c', prefix .. 'd', prefix .. 'e'

        local function text(number) return string.format('%.0f', number) end
        local function milliseconds()
            local time = redis.call('TIME')
            return time[1] * 1000 + math.floor(time[2] / 1000)
        end
        -- Why a change must not begin; nil if it may.
        local function refusal(fence)
            -- While a cluster moves the slot away, a key that is not there cannot even be asked for. One that a script
            -- removes is not there any more: it would end in the middle. There is no such key.
            if type(redis.pcall('EXISTS', prefix .. '-')) == 'table' then
                return redis.error_reply('TRYAGAIN the slot is being moved')
            end
            -- Its caller has been told that it failed, and may have made other changes since, which it would undo.
            if fence ~= '0' and milliseconds() > tonumber(fence) then
                return redis.error_reply('LATE the time is over')
            end
        end
        local function token_of(blob) return string.sub(blob, 2, 9) end
        local function partition_of(blob) return string.sub(blob, 10, 41) end
        local function expiry_of(blob) return struct.unpack('>i8', blob, 42) end
        local function owner_of(partition)
            return string.sub(redis.call('HGET', partitions, partition) or '', 1, 64)
        end

        local function count(owner, number, bytes, response)
            redis.call('HINCRBY', account, 'n', number)
            redis.call('HINCRBY', account, 'b', bytes)
            local left = redis.call('HINCRBY', account, owner .. 'n', number)
            redis.call('HINCRBY', account, owner .. 'r', response)
            if left <= 0 then redis.call('HDEL', account, owner .. 'n', owner .. 'r') end
        end

        -- Takes an entry out of everything but the index.
        local function unlist(owner, partition, id, blob)
            redis.call('HDEL', entries, id)
            redis.call('ZREM', prefix .. 'x:' .. partition, id)
            redis.call('ZREM', prefix .. 'i:' .. partition, id)
            redis.call('ZREM', prefix .. 'u:' .. partition, id)
            local quota, response = struct.unpack('>I4I4', blob, 58)
            count(owner, -1, -quota, -response)
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

    /// Makes room for a put. Of more than 64 partitions, 64 are looked at, drawn at random. Their keys are not declared: those
    /// of a partition that a cluster has moved away, or not all of them, are passed over.
    private static let eviction = """
        local function is_here(partition)
            for _, kind in ipairs({'x:', 'i:', 'u:', 'v:', 'q:'}) do
                local found = redis.pcall('EXISTS', prefix .. kind .. partition)
                if type(found) == 'table' then return false end
            end
            return true
        end

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
              if is_here(partition) then
                local dead = redis.call('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, 64)
                local found = dead
                if #dead == 0 and not is_expired then found = redis.call('ZRANGE', uses, 0, 0) end
                for _, id in ipairs(found) do
                    local use = use_of(partition, id)
                    if not best or (#dead > 0 and not is_expired) or use < used then
                        best, home, used, is_expired = id, partition, use, #dead > 0
                    end
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
                local blob = redis.call('HGET', entries, id)
                if not blob then return evicted end
                index_remove(owner, partition, id)
                unlist(owner, partition, id, blob)
                evicted[#evicted + 1] = string.sub(owner, 1, 32)
                evicted[#evicted + 1] = id
            end
            return evicted
        end

        """

    /// ARGV: 1 now, 2 fence (ms by the server's clock; 0: none), 3 partition, 4 id, 5 blob without its first byte,
    /// 6 vector, 7 extra, 8 descriptor, 9 cache name, 10 and 11 quota of entries and bytes ('': none), 12 most evictions.
    ///
    /// Returns whether a live entry was replaced, the server's time, and cache keys and ids of what was evicted in turn.
    private static let putting = """
        local now, partition, id, blob = tonumber(ARGV[1]), ARGV[3], ARGV[4], ARGV[5]
        local refused = refusal(ARGV[2])
        if refused then return refused end
        local owner = string.sub(ARGV[8], 1, 64)
        local expires, created, quota, response = struct.unpack('>i8i8I4I4', blob, 41)
        local old = redis.call('HGET', entries, id)
        if old and token_of(old) == string.sub(blob, 1, 8) then
            return {tonumber(string.sub(old, 1, 1)), text(milliseconds()), {}}
        end
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
        count(owner, 1, quota, response)
        advance('')
        return {tonumber(replaces), text(milliseconds()), evicted}
        """

    /// Removes entries of one partition. ARGV: 1 now, 2 "all", "expired" (those that have), "partition" (its other entries are
    /// about to be removed too) or "dry" (none), 3 which epoch advances ('': none), 4 the cache they must be of (''),
    /// 5 the partition, 6 most ids to return, 7 fence (as of a put), then ids and tokens in turn; a token of '' takes any.
    ///
    /// Returns how many live ones were (or would be) removed, some of their ids, and those whose token is another.
    private static let removing = """
        local refused = refusal(ARGV[7])
        if refused then return refused end
        local now, mode, partition = tonumber(ARGV[1]), ARGV[2], ARGV[5]
        local owner = owner_of(partition)
        local expiries = prefix .. 'x:' .. partition
        local number, sample, changed = 0, {}, {}
        local is_meant = ARGV[4] == '' or string.sub(owner, 1, 32) == ARGV[4]
        if mode == 'partition' and is_meant then index_drop(partition) end
        for position = 8, is_meant and #ARGV or 0, 2 do
            local id, token = ARGV[position], ARGV[position + 1]
            local blob = redis.call('HGET', entries, id)
            if not blob then
                -- Its hash was lost: what is left of it goes.
                if mode ~= 'dry' then
                    index_remove(owner, partition, id)
                    for _, kind in ipairs({'x:', 'i:', 'u:'}) do redis.call('ZREM', prefix .. kind .. partition, id) end
                end
            elseif partition_of(blob) == partition and (mode ~= 'expired' or expiry_of(blob) <= now) then
                if token ~= '' and token ~= token_of(blob) then
                    changed[#changed + 1] = id
                else
                    if expiry_of(blob) > now then
                        number = number + 1
                        if #sample < tonumber(ARGV[6]) then sample[#sample + 1] = id end
                    end
                    if mode ~= 'dry' then
                        index_remove(owner, partition, id)
                        unlist(owner, partition, id, blob)
                    end
                end
            end
        end
        if mode == 'expired' then
            local first = redis.call('ZRANGE', expiries, 0, 0, 'WITHSCORES')
            if #first == 0 then redis.call('ZREM', due, partition)
            else redis.call('ZADD', due, first[2], partition) end
        end
        if mode ~= 'dry' and ARGV[3] ~= '' then advance(ARGV[3]) end
        return {number, sample, changed}
        """

    /// Notes that entries of a partition were used, if they are still there. ARGV: the partition, then ids and times in
    /// turn.
    private static let touching = """
        for position = 2, #ARGV, 2 do
            redis.call('ZADD', prefix .. 'u:' .. ARGV[1], 'XX', 'GT', use_at(tonumber(ARGV[position + 1])), ARGV[position])
        end
        """

    /// Adds up what has expired in a partition. ARGV: 1 the partition, 2 now, 3 how many to pass over, 4 most to look at.
    /// Returns how many it looked at, and of those that are there the number, the bytes for the quota and the bytes of responses.
    private static let measuring = """
        local ids = redis.call(
            'ZRANGEBYSCORE', prefix .. 'x:' .. ARGV[1], '-inf', ARGV[2], 'LIMIT', ARGV[3], ARGV[4])
        local number, quotas, responses = 0, 0, 0
        for _, id in ipairs(ids) do
            local blob = redis.call('HGET', entries, id)
            if blob then
                local quota, response = struct.unpack('>I4I4', blob, 58)
                number, quotas, responses = number + 1, quotas + quota, responses + response
            end
        end
        return {#ids, number, quotas, responses}
        """
}
