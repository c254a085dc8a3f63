// SPDX-License-Identifier: Apache-2.0

extension StoreScripts {
    /// Removes entries of one partition. ARGV: 1 now, 2 "all", "expired" (those that have), "partition" (its other entries are
    /// about to be removed too) or "dry" (none), 3 which epoch advances ('': none), 4 the cache they must be of (''),
    /// 5 the partition, 6 most ids to return, 7 fence (as of a put), 8 what the other replicas are told (''), then ids and
    /// tokens in turn; a token of '' takes any.
    ///
    /// Returns how many live ones were (or would be) removed, some of their ids, those whose token is another, and the
    /// witnesses if something was told.
    static let removing = """
        local refused = refusal() or (is_late(ARGV[7]) and lateness())
        if refused then return refused end
        local now, mode, partition = tonumber(ARGV[1]), ARGV[2], ARGV[5]
        local owner = owner_of(partition)
        local expiries = prefix .. 'x:' .. partition
        local number, sample, changed = 0, {}, {}
        local is_meant = ARGV[4] == '' or string.sub(owner, 1, 32) == ARGV[4]
        for position = 9, is_meant and #ARGV or 0, 2 do
            local id, token = ARGV[position], ARGV[position + 1]
            local blob = blob_of(id)
            if not blob or partition_of(blob) ~= partition then
                -- Not meant; or it is of this partition and was damaged or lost: then what is left of it goes.
                local is_listed = redis.call('ZSCORE', expiries, id)
                if mode ~= 'dry' and (is_listed or not blob) then index_remove(owner, partition, id) end
                if mode ~= 'dry' and is_listed then unlist(owner, partition, id) end
            elseif mode ~= 'expired' or expiry_of(blob) <= now then
                if token ~= '' and token ~= token_of(blob) then
                    changed[#changed + 1] = id
                else
                    if expiry_of(blob) > now then
                        number = number + 1
                        if #sample < tonumber(ARGV[6]) then sample[#sample + 1] = id end
                    end
                    if mode ~= 'dry' then
                        -- Vectors go together at the end: one by one would take ten times as long. One without an entry
                        -- does no harm; an entry without one would not be found by those who want to remove it.
                        index_remove(owner, partition, id, mode == 'partition')
                        unlist(owner, partition, id, blob)
                    end
                end
            end
        end
        if mode ~= 'dry' and redis.call('EXISTS', expiries) == 0 then index_drop(partition) end
        if mode == 'expired' then
            local first = redis.call('ZRANGE', expiries, 0, 0, 'WITHSCORES')
            if #first == 0 then redis.call('ZREM', due, partition)
            else redis.call('ZADD', due, first[2], partition) end
        end
        if mode ~= 'dry' and ARGV[3] ~= '' then advance(ARGV[3]) end
        if ARGV[8] == '' then return {number, sample, changed, {}} end
        tell(ARGV[8])
        return {number, sample, changed, witnesses()}
        """

    /// Notes that entries of a partition were used, if they are still there. ARGV: the partition, then ids and times in
    /// turn.
    static let touching = """
        for position = 2, #ARGV, 2 do
            redis.call('ZADD', prefix .. 'u:' .. ARGV[1], 'XX', 'GT', use_at(tonumber(ARGV[position + 1])), ARGV[position])
        end
        """

    /// Adds up what has expired in a partition. ARGV: 1 the partition, 2 now, 3 how many to pass over, 4 most to look at.
    /// Returns how many it looked at, and of those that are there the number, the bytes for the quota and the bytes of responses.
    static let measuring = """
        local ids = redis.call(
            'ZRANGEBYSCORE', prefix .. 'x:' .. ARGV[1], '-inf', ARGV[2], 'LIMIT', ARGV[3], ARGV[4])
        local number, quotas, responses = 0, 0, 0
        for _, id in ipairs(ids) do
            local blob = blob_of(id)
            if blob then
                local quota, response = struct.unpack('>I4I4', blob, 58)
                number, quotas, responses = number + 1, quotas + quota, responses + response
            end
        end
        return {#ids, number, quotas, responses}
        """

    /// Reads the first bytes of entries: ``EntryBlob/headBytes``; '' for those that are not there. ARGV: ids.
    static let reading = """
        local heads = {}
        for position, id in ipairs(ARGV) do heads[position] = string.sub(blob_of(id) or '', 1, 82) end
        return heads
        """
}
