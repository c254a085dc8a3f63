// SPDX-License-Identifier: Apache-2.0

// The part of the protocol that runs in Redis; Coherence/ has the rest, Sources/README.md says why it is right.
//
// The register of a shard has a field for each replica that may answer from memory, the count of its renewals, and `era`: which
// life of which server this is, as which primary, and since when by its clock. Another server, or the same one started or
// promoted again, begins with an empty register, as it cannot know who holds a lease.
extension StoreScripts {
    static let announcing = """
        -- The age of the era in ms, how many replicas of this server must have a change, and which era it is.
        local function era()
            local about = redis.call('INFO', 'server', 'replication')
            local run = string.match(about, 'run_id:(%x+)') .. string.match(about, 'master_replid:(%x+)')
            local now = milliseconds()
            local known = redis.call('HGET', register, 'era')
            local since
            if known and string.sub(known, 1, #run) == run then
                since = tonumber(string.sub(known, #run + 1))
            else
                -- Also without any register: it may have been lost.
                redis.call('UNLINK', register)
                since = now
                redis.call('HSET', register, 'era', run .. text(since))
            end
            local _, followers = string.gsub(about, 'state=online', '')
            local before = redis.call('HMGET', register, 'followers', 'followed')
            local most, at = tonumber(before[1] or 0), tonumber(before[2] or 0)
            if followers >= most or math.abs(now - at) > 20000 then
                if followers ~= most or now - at > 1000 or now < at then
                    redis.call('HSET', register, 'followers', followers, 'followed', text(now))
                end
            else
                -- It has lost one: that may be the primary by now. Until this one would know of it, it counts, and so what
                -- all must confirm is confirmed by nobody.
                followers = most
            end
            return now - since, followers, run
        end
        -- Who must have heard of a change before it counts as known everywhere.
        local function witnesses()
            local age, followers, run = era()
            return {text(age), followers, run, redis.call('HGETALL', register)}
        end
        local function tell(message) redis.call('SPUBLISH', prefix .. 'changes', message) end
        -- Nobody waits for this one to be heard: what was evicted is right for as long as it lives.
        local function tell_removed(cache, id) tell(string.rep('\\0', 24) .. 'r' .. cache .. id) end

        """

    /// Renews the lease of a replica. ARGV: its id. Returns whether it was in the register, how many replicas of this
    /// server follow it, and the era.
    static let renewing = """
        local _, followers, run = era()
        local known = redis.call('HEXISTS', register, ARGV[1])
        redis.call('HINCRBY', register, ARGV[1], 1)
        return {known, followers, run}
        """

    /// Writes something, so that whoever follows this server has, with it, all that was written before. Returns the
    /// era.
    static let confirming = """
        local _, _, run = era()
        redis.call('HINCRBY', register, 'confirmed', 1)
        return run
        """

    /// Takes replicas out of the register that have not renewed since. ARGV: ids and counts in turn; a count of '' takes
    /// any.
    static let striking = """
        for position = 1, #ARGV, 2 do
            local count = ARGV[position + 1]
            if count == '' or redis.call('HGET', register, ARGV[position]) == count then
                redis.call('HDEL', register, ARGV[position])
            end
        end
        """
}
