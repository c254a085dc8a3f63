// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension EngineFigures {
    /// The figures as metrics. `tenant` is a label for each tenant of ``tenants``, which are those that the configuration
    /// declares; the rest is `other`, and so is a tenant of that name.
    package var families: [FigureFamily] {
        self.outcomeFamilies + self.decisionFamilies + self.fillFamilies + self.changeFamilies + self.sizeFamilies
            + self.embedderFamilies
            + self.processFamilies
    }

    private var outcomeFamilies: [FigureFamily] {
        let lookups: [(String, String, KeyPath<Tenant, UInt64>)] = [
            ("exact_hit", "l1", \.sum.exactHitsL1), ("exact_hit", "store", \.sum.exactHitsStore),
            ("semantic_hit", "l1", \.sum.semanticHitsL1), ("semantic_hit", "store", \.sum.semanticHitsStore),
            ("miss", "none", \.sum.misses), ("bypass", "none", \.sum.bypasses),
        ]
        let misses: [(String, KeyPath<Tenant, UInt64>)] = [
            ("no_entry", \.sum.missesNoEntry), ("not_stored", \.sum.missesNotStored),
            ("below_threshold", \.sum.missesBelowThreshold), ("too_old", \.sum.missesTooOld),
            ("filtered", \.sum.missesFiltered), ("refused", \.sum.missesRefused), ("degraded", \.sum.missesDegraded),
        ]
        return [
            FigureFamily(
                "semcache_lookups_total", "Lookups by outcome and by the tier that answered", .counter,
                self.everyTenant { tenant in
                    lookups.map { outcome, tier, path in
                        ([("outcome", outcome), ("tier", tier)], Double(tenant[keyPath: path]))
                    }
                }),
            FigureFamily(
                "semcache_misses_total", "Misses by reason", .counter,
                self.everyTenant { tenant in
                    misses.map { reason, path in ([("reason", reason)], Double(tenant[keyPath: path])) }
                }),
            FigureFamily(
                "semcache_tokens_saved_total", "Tokens of answers that hits saved, as stated with them", .counter,
                self.everyTenant { [([], Double($0.tokensSaved))] }),
            FigureFamily(
                "semcache_cost_saved_total", "Cost of answers that hits saved, in the unit it was stated in", .counter,
                self.everyTenant { [([], $0.costSaved)] }),
        ]
    }

    private var fillFamilies: [FigureFamily] {
        let figures: [(String, String, KeyPath<Tenant, UInt64>)] = [
            ("semcache_stale_hits_total", "Hits whose answer was past its time to live", \.sum.staleHits),
            ("semcache_leases_granted_total", "Lookups that were told to make the answer", \.sum.leasesGranted),
            ("semcache_waits_filled_total", "Lookups that waited for another's answer and got it", \.sum.waitsFilled),
            (
                "semcache_aborted_stores_total", "Stores refused because their lease had ended or was void",
                \.sum.abortedStores
            ),
        ]
        return figures.map { name, help, path in
            FigureFamily(name, help, .counter, self.everyTenant { [([], Double($0[keyPath: path]))] })
        }
    }

    private var changeFamilies: [FigureFamily] {
        let refusals: [(String, KeyPath<Tenant, UInt64>)] = [
            ("rate", \.statistics.refusedByRate), ("calls_in_flight", \.statistics.refusedByCallsInFlight),
            ("request_bytes", \.statistics.refusedByRequestBytes), ("role", \.statistics.refusedByRole),
            ("quota", \.statistics.refusedByQuota),
        ]
        return [
            FigureFamily(
                "semcache_stores_total", "Entries stored", .counter, self.everyTenant { [([], Double($0.sum.stores))] }),
            FigureFamily(
                "semcache_invalidated_entries_total", "Entries removed on request", .counter,
                self.everyTenant { [([], Double($0.sum.invalidatedEntries))] }),
            FigureFamily(
                "semcache_evicted_entries_total", "Entries that went because the tenant's quota was full", .counter,
                self.everyTenant { [([], Double($0.statistics.evictedEntries))] }),
            FigureFamily(
                "semcache_refusals_total", "Requests refused by what their tenant may", .counter,
                self.everyTenant { tenant in
                    refusals.map { reason, path in ([("reason", reason)], Double(tenant[keyPath: path])) }
                }),
            FigureFamily(
                "semcache_calls_in_flight", "Calls in flight", .gauge,
                self.everyTenant { [([], Double($0.callsInFlight))] }),
        ]
    }

    private var sizeFamilies: [FigureFamily] {
        let sizes: [(String, String, KeyPath<Tenant, UInt64>)] = [
            ("semcache_entries", "Entries stored", \.statistics.entries),
            ("semcache_stored_bytes", "Bytes stored, as the quota counts them", \.statistics.bytes),
            (
                "semcache_orphaned_entries", "Entries of another model or layout, which no request finds",
                \.statistics.orphanedEntries
            ),
        ]
        let quotas: [(String, String, KeyPath<Tenant, UInt64>)] = [
            ("semcache_quota_entries", "Entries that a tenant may have", \.statistics.maximumEntries),
            ("semcache_quota_bytes", "Bytes that a tenant may have", \.statistics.maximumBytes),
        ]
        return sizes.map { name, help, path in
            FigureFamily(
                name, help, .gauge,
                self.labelled.filter(\.hasSizes).flatMap { Self.samples(of: $0, [([], Double($0[keyPath: path]))]) })
        }
            + quotas.map { name, help, path in
                FigureFamily(
                    name, help, .gauge,
                    self.labelled.filter { $0[keyPath: path] > 0 }
                        .flatMap { Self.samples(of: $0, [([], Double($0[keyPath: path]))]) })
            }
    }

    private var embedderFamilies: [FigureFamily] {
        let figures: [(String, String, FigureFamily.Kind, (Embedder) -> Double)] = [
            (
                "semcache_embedding_queue_texts", "Texts that wait for the embedder", .gauge,
                { Double($0.queueLength) }
            ),
            (
                "semcache_embedder_ready", "Whether the embedder has given a vector since the start", .gauge,
                { $0.isReady ? 1 : 0 }
            ),
            ("semcache_embeddings_computed_total", "Vectors computed", .counter, { Double($0.computed) }),
            ("semcache_embeddings_remembered_total", "Vectors known already", .counter, { Double($0.remembered) }),
            (
                "semcache_embeddings_restored_total", "Vectors read from the store instead of computed", .counter,
                { Double($0.restored) }
            ),
        ]
        return figures.map { name, help, kind, value in
            FigureFamily(
                name, help, kind,
                self.embedders.map { .init(labels: [.init(name: "embedder", value: $0.name)], value: value($0)) })
        }
    }

    private var processFamilies: [FigureFamily] {
        let gauges: [(String, String, Double)] = [
            ("semcache_memory_entries", "Answers in memory", Double(self.process.l1Entries)),
            ("semcache_memory_bytes", "Bytes of the answers in memory", Double(self.process.l1Bytes)),
            ("semcache_index_bytes", "Bytes of vectors and their index", Double(self.process.indexBytes)),
            ("semcache_connections", "Connections that are open", Double(self.process.connections)),
            ("semcache_undeclared_tenants", "Tenants that only credentials named", Double(self.othersCount)),
            ("semcache_uptime_seconds", "Time since the start", Double(self.process.uptime.wholeMilliseconds) / 1000),
        ]
        let counters: [(String, String, UInt64)] = [
            (
                "semcache_memory_evicted_total", "Answers that went from memory because others came",
                self.forgottenByMemory
            )
        ]
        var families =
            gauges.map { FigureFamily($0, $1, .gauge, [.init(labels: [], value: $2)]) }
            + counters.map { FigureFamily($0, $1, .counter, [.init(labels: [], value: Double($2))]) }
        if let isStoreAnswering = self.isStoreAnswering {
            families.append(
                FigureFamily(
                    "semcache_store_up", "Whether the store answers", .gauge,
                    [.init(labels: [], value: isStoreAnswering ? 1 : 0)]))
        }
        return families
    }

    typealias Values = [(labels: [(String, String)], value: Double)]

    func everyTenant(_ values: (Tenant) -> Values) -> [FigureFamily.Sample] {
        (self.labelled + [self.unlabelled]).flatMap { Self.samples(of: $0, values($0)) }
    }

    private var labelled: [Tenant] { self.tenants.filter { Self.hasLabel(TenantID($0.name)) } }

    private var unlabelled: Tenant {
        var rest = self.others
        for tenant in self.tenants where !Self.hasLabel(TenantID(tenant.name)) { rest.add(tenant) }
        rest.add(self.moved)
        return rest
    }

    private static func samples(of tenant: Tenant, _ values: Values) -> [FigureFamily.Sample] {
        values.map { labels, value in
            FigureFamily.Sample(
                labels: ([("tenant", tenant.name)] + labels).map { FigureFamily.Label(name: $0, value: $1) },
                value: value)
        }
    }
}

extension CacheStatistics {
    fileprivate var misses: UInt64 {
        self.missesNoEntry + self.missesNotStored + self.missesBelowThreshold + self.missesTooOld
            + self.missesFiltered + self.missesRefused + self.missesDegraded
    }
}
