// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

extension LabelsRequest {
    /// Checks and copies a request.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field and the limit.
    init(_ labels: borrowing Semcached__V1__LabelsRequest) throws(CacheError) {
        guard labels.page_size <= Limits.maximumLabelsPage else {
            throw .invalidArgument(
                "page_size", "is \(labels.page_size), the limit is \(Limits.maximumLabelsPage)")
        }
        self.init(
            cache: try cacheName(labels.cache), after: labels.after,
            pageSize: labels.page_size == 0 ? Limits.maximumLabelsPage : Int(labels.page_size))
    }
}

extension LabelsPage {
    /// What a newer server says in a way that this client does not know is left out, and so is what cannot be.
    init(_ packed: Semcached__V1__LabelsResponse) {
        let decisions = RepeatedMessages(packed.decisions, packed.n_decisions).compactMap { LabelledDecision($0) }
        self.init(decisions: decisions, next: packed.next == 0 ? nil : packed.next, last: packed.last)
    }
}

extension LabelledDecision {
    fileprivate init?(_ packed: Semcached__V1__LabelledDecision) {
        let source: Source
        switch packed.source {
        case SEMCACHED__V1__LABEL_SOURCE__LABEL_SOURCE_STORE: source = .store
        case SEMCACHED__V1__LABEL_SOURCE__LABEL_SOURCE_AUDIT: source = .audit
        case SEMCACHED__V1__LABEL_SOURCE__LABEL_SOURCE_FEEDBACK: source = .feedback
        default: return nil
        }
        // False for what is not a number, which has no form in JSON.
        guard packed.similarity >= -1.001 && packed.similarity <= 1.001 else { return nil }
        let hasRisk = packed.risk_present_case == SEMCACHED__V1__LABELLED_DECISION__RISK_PRESENT_RISK
        self.init(
            number: packed.number, similarity: packed.similarity, risk: hasRisk ? share(packed.risk) : nil,
            isRight: packed.right != 0, wouldServe: packed.would_serve != 0, source: source,
            isGuarded: packed.guarded != 0)
    }
}

extension MessageBuilder {
    func labels(_ labels: LabelsRequest) -> UnsafeMutablePointer<Semcached__V1__LabelsRequest> {
        let packed = self.make(semcached__v1__labels_request__init)
        packed.pointee.cache = self.bytes(labels.cache)
        packed.pointee.after = labels.after
        packed.pointee.page_size = labels.pageSize == Limits.maximumLabelsPage ? 0 : UInt32(labels.pageSize)
        return packed
    }

    func labels(_ page: LabelsPage) -> UnsafeMutablePointer<Semcached__V1__LabelsResponse> {
        let packed = self.make(semcached__v1__labels_response__init)
        (packed.pointee.n_decisions, packed.pointee.decisions) = self.list(page.decisions) { self.labelled($0) }
        packed.pointee.next = page.next ?? 0
        packed.pointee.last = page.last
        return packed
    }

    private func labelled(_ decision: LabelledDecision) -> UnsafeMutablePointer<Semcached__V1__LabelledDecision>? {
        let packed = self.make(semcached__v1__labelled_decision__init)
        packed.pointee.number = decision.number
        packed.pointee.similarity = decision.similarity
        if let risk = decision.risk {
            packed.pointee.risk_present_case = SEMCACHED__V1__LABELLED_DECISION__RISK_PRESENT_RISK
            packed.pointee.risk = risk
        }
        packed.pointee.right = decision.isRight ? 1 : 0
        packed.pointee.would_serve = decision.wouldServe ? 1 : 0
        packed.pointee.guarded = decision.isGuarded ? 1 : 0
        packed.pointee.source =
            switch decision.source {
            case .store: SEMCACHED__V1__LABEL_SOURCE__LABEL_SOURCE_STORE
            case .audit: SEMCACHED__V1__LABEL_SOURCE__LABEL_SOURCE_AUDIT
            case .feedback: SEMCACHED__V1__LABEL_SOURCE__LABEL_SOURCE_FEEDBACK
            }
        return packed
    }
}
