// SPDX-License-Identifier: Apache-2.0

/// One of the service's requests.
package enum ServiceRequest: Sendable, Equatable {
    case lookup(LookupRequest)
    case store(StoreRequest)
    case invalidate(InvalidateRequest)
    /// One cache's, or all of the tenant's if `nil`.
    case stats(cache: String?)
    case export(ExportRequest)
    case embed(EmbedRequest)
    case lease(LeaseRequest)
    case feedback(FeedbackRequest)
    case labels(LabelsRequest)
    case ping
}

/// One of the service's answers.
package enum ServiceResponse: Sendable, Equatable {
    case lookup(LookupOutcome)
    case store(StoreOutcome)
    case invalidate(InvalidateOutcome)
    case stats(ServiceStatistics)
    case export(ExportPage)
    case embed(EmbedOutcome)
    case lease(LeaseOutcome)
    case feedback(FeedbackOutcome)
    case labels(LabelsPage)
    case ping(serverVersion: String)
}
