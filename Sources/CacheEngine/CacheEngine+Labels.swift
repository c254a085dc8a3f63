// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Decisions

extension CacheEngine {
    /// A page of the decisions of a cache whose outcome is known, as all replicas have told them to the store.
    ///
    /// - Throws: ``CacheError`` with `.unavailable` if the store cannot tell; and as ``route(cache:vary:scope:)``.
    package func labels(_ request: LabelsRequest, scope: TenantScope) async throws(CacheError) -> LabelsPage {
        try await self.metrics.measure(.labels) { () async throws(CacheError) -> LabelsPage in
            let route = try self.route(cache: request.cache, vary: [], scope: scope)
            let page: DecisionRecordPage
            do throws(VectorStoreError) {
                page = try await self.store.records(of: route.partition.cache, after: request.after)
            } catch {
                throw self.refusal(error)
            }
            let records = page.records.prefix(request.pageSize)
            let decisions = records.enumerated().compactMap { offset, bytes in
                DecisionRecord(bytes: bytes).map { LabelledDecision($0, number: page.first + UInt64(offset)) }
            }
            let end = page.first + UInt64(records.count)
            let hasMore = !records.isEmpty && end <= page.last
            return LabelsPage(decisions: decisions, next: hasMore ? end - 1 : nil, last: page.last)
        }
    }
}

extension LabelledDecision {
    fileprivate init(_ record: DecisionRecord, number: UInt64) {
        let source: Source =
            switch record.source {
            case .store: .store
            case .audit: .audit
            case .feedback: .feedback
            }
        self.init(
            number: number, similarity: record.similarity, risk: record.risk, isRight: record.isRight,
            wouldServe: record.wouldServe, source: source, isGuarded: record.isGuarded)
    }
}
