// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Random operations on leases, against a list of them.
extension StoreConformance {
    func leasesAsOneByOne(seed: UInt64, rounds: Int) async throws {
        var world = LeaseWorld(seed: seed, store: try await self.makeStore(), homes: self.homes, tenant: self.tenant())
        for _ in 0..<rounds { try await world.step() }
    }

    private struct LeaseWorld {
        private struct Held {
            let token: LeaseToken
            let place: Place
        }

        private struct Place: Hashable {
            let home: Partition
            let prompt: String

            var id: EntryID { self.home.entryID(of: try! CanonicalPrompt(self.prompt)) }
        }

        var random: SeededGenerator
        let store: Store
        let homes: [Partition]
        let tenant: TenantScope
        private var held: [Held] = []
        private var all: [Held] = []
        /// When each was created.
        private var entries: [Place: Timestamp] = [:]
        private var now: Int64 = 0

        init(seed: UInt64, store: Store, homes: [Partition], tenant: TenantScope) {
            self.random = SeededGenerator(seed)
            self.store = store
            self.homes = homes
            self.tenant = tenant
        }

        mutating func step() async throws {
            switch self.random.int(0...9) {
            case 0...3: try await self.acquire()
            case 4...5: try await self.put()
            case 6: try await self.change(releases: true)
            case 7: try await self.change(releases: false)
            case 8: try await self.runOut()
            default: try await self.remove()
            }
        }

        private mutating func place() -> Place {
            Place(home: self.random.pick(self.homes), prompt: self.random.pick(["a", "b", "c"]))
        }

        private mutating func acquire() async throws {
            let place = self.place()
            let there = self.entries[place]
            let seen = self.random.chance(0.8) ? there : self.random.pick([nil, ms(-1)])
            let grant = try await self.store.acquireLease(
                on: place.id, in: place.home, for: StoreConformance.long, seen: seen, at: ms(self.now))
            switch grant {
            case .changed: #expect(there != nil && there != seen)
            case .held: #expect(self.held.contains { $0.place == place })
            case .granted(let token, _):
                #expect(!self.held.contains { $0.place == place } && (there == nil || there == seen))
                self.held.append(Held(token: token, place: place))
                self.all.append(Held(token: token, place: place))
            }
        }

        private mutating func put() async throws {
            var place = self.place()
            var token: LeaseToken?
            if self.random.chance(0.6), !self.all.isEmpty {
                let one = self.random.pick(self.all)
                token = one.token
                if self.random.chance(0.9) { place = one.place }
            }
            self.now += 1
            let entry = try entry(place.prompt, in: place.home, created: self.now, expires: 1 << 40)
            let isHeld = self.held.contains { $0.token == token && $0.place == place }
            do throws(VectorStoreError) {
                _ = try await self.store.put(
                    entry, embedding: self.random.vector(), in: place.home, quota: .unlimited, lease: token)
                #expect(token == nil || isHeld)
                self.entries[place] = ms(self.now)
                self.held.removeAll { $0.place == place }
            } catch {
                #expect(error.code == .aborted && token != nil && !isHeld)
            }
        }

        private mutating func change(releases: Bool) async throws {
            guard !self.all.isEmpty else { return }
            let one = self.random.pick(self.all)
            let cache = self.random.chance(0.9) ? one.place.home.cache : self.random.pick(self.homes).cache
            let isHeld = cache == one.place.home.cache && self.held.contains { $0.token == one.token }
            if releases {
                #expect(try await self.store.releaseLease(one.token, in: cache) == isHeld)
                if isHeld { self.held.removeAll { $0.token == one.token } }
                return
            }
            do throws(VectorStoreError) {
                _ = try await self.store.extendLease(one.token, in: cache, for: StoreConformance.long)
                #expect(isHeld)
            } catch {
                #expect(error.code == .aborted && !isHeld)
            }
        }

        private mutating func runOut() async throws {
            guard let one = self.held.first else { return }
            _ = try await self.store.extendLease(one.token, in: one.place.home.cache, for: .milliseconds(1))
            // By whatever clock.
            let end = ContinuousClock.now + .milliseconds(10)
            while ContinuousClock.now < end { await Task.yield() }
            self.held.removeFirst()
        }

        private mutating func remove() async throws {
            let place = self.place()
            let (home, id) = (place.home, place.id)
            let selector: RemovalSelector
            var isVoided: (Place) -> Bool = { $0.home.cache == home.cache }
            switch self.random.int(0...5) {
            case 0: (selector, isVoided) = (.ids([id], in: home.cache), { $0 == place })
            case 1: (selector, isVoided) = (.entry(id, in: home), { $0 == place })
            case 2: selector = .filter(try MetadataFilter("exists(none)"), in: home.cache)
            case 3: selector = .radius(self.random.vector(), similarity: 1, in: home)
            case 4: selector = .cache(home.cache)
            default:
                let tenant = self.tenant
                (selector, isVoided) = (.tenant(tenant), { $0.home.cache.tenant == tenant })
            }
            let isDry = self.random.chance(0.3)
            _ = try await self.store.remove(selector, dryRun: isDry, at: ms(self.now))
            if isDry { return }
            self.held.removeAll { isVoided($0.place) }
            for (place, created) in self.entries where isVoided(place) {
                let entry = try await self.store.entry(place.id, in: place.home, at: ms(self.now))
                #expect(entry == nil || entry?.createdAt == created)
                if entry == nil { self.entries[place] = nil }
            }
        }
    }
}
