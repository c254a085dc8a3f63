// SPDX-License-Identifier: Apache-2.0

import RedisClient

/// The scripts of ``FillLeases``. KEYS and times are as ``StoreScripts`` says; the keys of leases are declared.
struct LeaseScripts: Sendable {
    let acquire: RedisScript
    let extend: RedisScript
    let release: RedisScript
    let void: RedisScript

    init(prelude: String) {
        self.acquire = RedisScript("#!lua\n" + prelude + Self.acquiring, isRepeatable: true)
        // What ends leases, and what keeps them from ending, must work where the memory is full.
        self.extend = RedisScript("#!lua flags=allow-oom\n" + prelude + Self.extending, isRepeatable: true)
        self.release = RedisScript("#!lua flags=allow-oom\n" + prelude + Self.releasing, isRepeatable: true)
        self.void = RedisScript("#!lua flags=allow-oom\n" + prelude + Self.voiding, isRepeatable: true)
    }

    /// ARGV: 1 id, 2 cache, 3 nonce for it, 4 time, 5 partition, 6 creation of the entry that was seen ('': none), 7 now.
    ///
    /// Returns what it came to (1 granted, 0 another has it, 2 there is another entry) and what is left of the lease.
    /// Sent again, it finds its own.
    private static let acquiring = """
        local refused = refusal()
        if refused then return refused end
        local lease, cache = lease_of(ARGV[1]), ARGV[2]
        local blob = blob_of(ARGV[1])
        if blob and partition_of(blob) == ARGV[5] and expiry_of(blob) > tonumber(ARGV[7])
            and text(struct.unpack('>i8', blob, 50)) ~= ARGV[6] then return {2, 0} end
        local record = redis.call('GET', lease)
        if record and string.sub(record, 17) == cache .. voids_of(cache) then
            local is_own = string.sub(record, 1, 16) == ARGV[3]
            return {is_own and 1 or 0, math.max(0, redis.call('PTTL', lease))}
        end
        redis.call('SET', lease, ARGV[3] .. cache .. voids_of(cache), 'PX', ARGV[4])
        return {1, tonumber(ARGV[4])}
        """

    /// ARGV: 1 id, 2 cache, 3 nonce, 4 time.
    private static let extending = """
        local refused = refusal()
        if refused then return refused end
        local lease = lease_of(ARGV[1])
        if not holds(lease, ARGV[3], ARGV[2]) then return is_over() end
        redis.call('PEXPIRE', lease, ARGV[4])
        return tonumber(ARGV[4])
        """

    /// ARGV: 1 id, 2 cache, 3 nonce, 4 what the other replicas are told. Returns whether there was a lease.
    private static let releasing = """
        local refused = refusal()
        if refused then return refused end
        local lease = lease_of(ARGV[1])
        if not holds(lease, ARGV[3], ARGV[2]) then return 0 end
        redis.call('UNLINK', lease)
        tell(ARGV[4])
        return 1
        """

    /// Makes leases void. ARGV: 1 "ids", "cache" or "tenant", 2 the cache, then ids.
    private static let voiding = """
        local refused = refusal()
        if refused then return refused end
        if ARGV[1] == 'cache' then redis.call('HINCRBY', versions, 'v' .. ARGV[2], 1)
        elseif ARGV[1] == 'tenant' then redis.call('HINCRBY', versions, 'v*', 1) end
        for position = 3, #ARGV do
            local lease = lease_of(ARGV[position])
            local record = redis.call('GET', lease)
            if record and string.sub(record, 17, 48) == ARGV[2] then redis.call('UNLINK', lease) end
        end
        """
}

extension StoreScripts {
    /// A lease is a key that expires, with the nonce of its token, its cache, and how often leases of the cache and of the
    /// tenant had been made void when it was granted: where that is another number by now, it is void too.
    static let leasing = """
        local function lease_of(id) return prefix .. 'f:' .. id end
        local function voids_of(cache)
            local voids = redis.call('HMGET', versions, 'v' .. cache, 'v*')
            return (voids[1] or '0') .. ' ' .. (voids[2] or '0')
        end
        local function holds(lease, nonce, cache)
            local record = redis.call('GET', lease)
            return record and string.sub(record, 1, 16) == nonce
                and string.sub(record, 17) == cache .. voids_of(cache)
        end
        local function is_over() return redis.error_reply('ABORTED the lease is over') end

        """
}
