// SPDX-License-Identifier: Apache-2.0

import CacheEngine

/// Counts hits of a trace under one policy.
enum Policies {
    /// What the service uses.
    static func ours(_ trace: RequestTrace, limit: Int) -> Int {
        var cache = FrequencyCache<Int, Int>(limit: limit, weigh: { $0 })
        return trace.requests.count { key in
            if cache.value(for: key) != nil { return true }
            cache.insert(trace.weights[key], for: key)
            return false
        }
    }

    /// What was used last stays.
    static func leastRecentlyUsed(_ trace: RequestTrace, limit: Int) -> Int {
        // Every use in order; one that is not the last of its key is stepped over.
        var uses: [Int] = []
        var oldest = 0
        var lastUse = [Int](repeating: -1, count: trace.weights.count)
        var weight = 0
        return trace.requests.count { key in
            let isHit = lastUse[key] >= 0
            if !isHit {
                guard trace.weights[key] <= limit else { return false }
                weight += trace.weights[key]
            }
            lastUse[key] = uses.count
            uses.append(key)
            while weight > limit {
                let candidate = uses[oldest]
                if lastUse[candidate] == oldest {
                    lastUse[candidate] = -1
                    weight -= trace.weights[candidate]
                }
                oldest += 1
            }
            return isHit
        }
    }

    /// What nobody can do better who knows the future and need not keep what was asked for (Belady's MIN with bypass):
    /// the most hits if all keys weigh the same.
    static func optimum(_ trace: RequestTrace, limit: Int) -> Int {
        let next = Self.nextUses(trace)
        // The kept one that is used last goes; entries of former uses are stepped over.
        var order = Heap()
        var keptUntil = [Int](repeating: -1, count: trace.weights.count)
        var count = 0
        var hits = 0
        for (time, key) in trace.requests.enumerated() {
            if keptUntil[key] == time {
                hits += 1
                count -= 1
            }
            keptUntil[key] = -1
            guard next[time] < .max else { continue }
            keptUntil[key] = next[time]
            order.insert(next[time])
            count += 1
            while count > limit, let last = order.popMax() {
                let victim = trace.requests[last]
                guard keptUntil[victim] == last else { continue }
                keptUntil[victim] = -1
                count -= 1
            }
        }
        return hits
    }

    /// More hits than any policy can have, whatever keys weigh (Berger, Beckmann, Harchol-Balter: "Practical bounds on
    /// optimal caching with variable object sizes", 2018, PFOO-L): each hit keeps its key's weight from one use to the
    /// next; all together keep no more than the limit over the whole trace. The cheapest hits first make the most.
    static func bound(_ trace: RequestTrace, limit: Int) -> Int {
        let next = Self.nextUses(trace)
        let costs = next.enumerated().compactMap { time, next in
            next < .max ? Double(next - time) * Double(trace.weights[trace.requests[time]]) : nil
        }
        var room = Double(limit) * Double(trace.requests.count)
        var hits = 0
        for cost in costs.sorted() {
            room -= cost
            guard room >= 0 else { break }
            hits += 1
        }
        return hits
    }

    /// When the key of each request is asked for again; `.max` if never.
    private static func nextUses(_ trace: RequestTrace) -> [Int] {
        var seen = [Int](repeating: .max, count: trace.weights.count)
        var next = [Int](repeating: .max, count: trace.requests.count)
        for (time, key) in trace.requests.enumerated().reversed() {
            next[time] = seen[key]
            seen[key] = time
        }
        return next
    }
}

/// Numbers, of which the largest can be taken.
private struct Heap {
    private var numbers: [Int] = []

    mutating func insert(_ number: Int) {
        self.numbers.append(number)
        var place = self.numbers.count - 1
        while place > 0, self.numbers[(place - 1) / 2] < self.numbers[place] {
            self.numbers.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func popMax() -> Int? {
        guard let first = self.numbers.first, let last = self.numbers.popLast() else { return nil }
        guard !self.numbers.isEmpty else { return first }
        self.numbers[0] = last
        var place = 0
        while true {
            var largest = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < self.numbers.count && self.numbers[child] > self.numbers[largest] { largest = child }
            guard largest != place else { return first }
            self.numbers.swapAt(place, largest)
            place = largest
        }
    }
}
