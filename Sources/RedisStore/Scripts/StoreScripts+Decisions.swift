// SPDX-License-Identifier: Apache-2.0

import RedisClient

/// The scripts of ``DecisionRecords``. KEYS and times are as ``StoreScripts`` says; a fence of 0 is none.
struct DecisionScripts: Sendable {
    let append: RedisScript
    let read: RedisScript
    let save: RedisScript
    let block: RedisScript
    let assign: RedisScript
    let forget: RedisScript

    init(prelude: String) {
        let prelude = prelude + Self.knowing
        self.append = RedisScript("#!lua\n" + prelude + Self.appending, isRepeatable: true)
        self.read = RedisScript("#!lua flags=no-writes\n" + prelude + Self.reading, isRepeatable: true)
        self.save = RedisScript("#!lua\n" + prelude + Self.saving, isRepeatable: true)
        self.block = RedisScript("#!lua flags=allow-oom\n" + prelude + Self.blocking, isRepeatable: true)
        self.assign = RedisScript("#!lua\n" + prelude + Self.assigning, isRepeatable: true)
        self.forget = RedisScript("#!lua flags=allow-oom\n" + prelude + Self.forgetting, isRepeatable: true)
    }

    /// What nobody keeps in memory is told to nobody; but whoever follows the server must have it.
    private static let knowing = """
        local function unheard()
            local age, followers, run = era()
            return {text(age), followers, run, {}}
        end
        local function records_of(cache) return prefix .. 'l:' .. cache end
        local function snapshot_of(cache) return prefix .. 's:' .. cache end
        local function blocks_of(cache) return prefix .. 'b:' .. cache end
        local function note(cache) redis.call('SADD', prefix .. 'k', cache) end
        local function last_of(cache) return tonumber(redis.call('HGET', versions, 'l' .. cache) or 0) end

        """

    /// ARGV: 1 fence, 2 cache, 3 token, drawn at random: what is sent again is found by it, 4 most records, then records.
    ///
    /// Returns the number of the last, the server's time and the witnesses. Sent again, of others' records maybe.
    private static let appending = """
        local refused = refusal()
        if refused then return refused end
        local cache, token = ARGV[2], ARGV[3]
        if redis.call('ZSCORE', tokens, token) then
            return {text(last_of(cache)), text(milliseconds()), unheard()}
        end
        if is_late(ARGV[1]) then return lateness() end
        redis.call('ZREMRANGEBYSCORE', tokens, '-inf', text(milliseconds()))
        if ARGV[1] ~= '0' then redis.call('ZADD', tokens, ARGV[1], token) end
        local last = redis.call('HINCRBY', versions, 'l' .. cache, #ARGV - 4)
        for position = 5, #ARGV do redis.call('RPUSH', records_of(cache), ARGV[position]) end
        redis.call('LTRIM', records_of(cache), '-' .. ARGV[4], '-1')
        note(cache)
        return {text(last), text(milliseconds()), unheard()}
        """

    /// ARGV: 1 cache, 2 the number after which, 3 most to return. Returns the number of the first, the records, and the
    /// number of the last in the log.
    private static let reading = """
        local last, length = last_of(ARGV[1]), redis.call('LLEN', records_of(ARGV[1]))
        local first = math.max(1, last - length + 1)
        local start = math.max(first, tonumber(ARGV[2]) + 1)
        if start > last or length == 0 then return {'0', {}, text(last)} end
        local found = redis.call(
            'LRANGE', records_of(ARGV[1]), start - first, start - first + tonumber(ARGV[3]) - 1)
        return {text(start), found, text(last)}
        """

    /// ARGV: 1 fence, 2 cache, 3 the number of the last record that is in it, 8 bytes, and what was learnt.
    ///
    /// Returns whether it is kept, the server's time and the witnesses. Sent again, it finds itself.
    private static let saving = """
        local refused = refusal() or (is_late(ARGV[1]) and lateness())
        if refused then return refused end
        local known = redis.call('GET', snapshot_of(ARGV[2]))
        local kept = 1
        if known and known ~= ARGV[3] then
            local high, low = struct.unpack('>I4I4', known)
            local new_high, new_low = struct.unpack('>I4I4', ARGV[3])
            if new_high < high or (new_high == high and new_low <= low) then kept = 0 end
        end
        if kept == 1 then
            redis.call('SET', snapshot_of(ARGV[2]), ARGV[3])
            note(ARGV[2])
        end
        return {kept, text(milliseconds()), unheard()}
        """

    /// ARGV: 1 fence, 2 cache, 3 partition and question, 4 the pair, 5 most pairs of a question, 6 most questions, 7 what the
    /// other replicas are told.
    ///
    /// Small and bounded, and what is wrong must not be served because Redis is full: so it may be done without room, as a
    /// removal may.
    ///
    /// Returns whether it is blocked (not if there are too many questions), the server's time and the witnesses. A question
    /// that has all it may have gets no more.
    private static let blocking = """
        local refused = refusal() or (is_late(ARGV[1]) and lateness())
        if refused then return refused end
        local blocks, pair = blocks_of(ARGV[2]), ARGV[4]
        local pairs = redis.call('HGET', blocks, ARGV[3])
        if not pairs and redis.call('HLEN', blocks) >= tonumber(ARGV[6]) then
            return {0, text(milliseconds()), unheard()}
        end
        pairs = pairs or ''
        local is_known = false
        for position = 1, #pairs, #pair do
            if string.sub(pairs, position, position + #pair - 1) == pair then is_known = true end
        end
        if not is_known and #pairs < #pair * tonumber(ARGV[5]) then
            redis.call('HSET', blocks, ARGV[3], pairs .. pair)
            note(ARGV[2])
        end
        -- Also if it was known: whoever was told of it may have missed it.
        tell(ARGV[7])
        return {1, text(milliseconds()), witnesses()}
        """

    /// ARGV: 1 fence, 2 partition, 3 id, 4 cluster. Returns whether the entry is there, the server's time and the witnesses.
    ///
    /// A blob of an older form becomes one of today's: see ``EntryBlob``.
    private static let assigning = """
        local refused = refusal() or (is_late(ARGV[1]) and lateness())
        if refused then return refused end
        local blob = blob_of(ARGV[3])
        if not blob or #blob < 67 or partition_of(blob) ~= ARGV[2] then
            return {0, text(milliseconds()), unheard()}
        end
        local form, rest = string.byte(blob, 66), string.sub(blob, 67)
        if form == 3 then rest = string.sub(blob, 83)
        elseif form == 2 then rest = string.char(string.byte(rest) + 4) .. string.sub(rest, 2) end
        redis.call('HSET', entries, ARGV[3], string.sub(blob, 1, 65) .. string.char(3) .. ARGV[4] .. rest)
        return {1, text(milliseconds()), unheard()}
        """

    /// Removes all that is known of caches, but for the number of the last record. ARGV: caches.
    private static let forgetting = """
        local refused = refusal()
        if refused then return refused end
        for _, cache in ipairs(ARGV) do
            redis.call('UNLINK', records_of(cache), snapshot_of(cache), blocks_of(cache))
            redis.call('SREM', prefix .. 'k', cache)
        end
        """
}
