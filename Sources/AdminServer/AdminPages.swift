// SPDX-License-Identifier: Apache-2.0

package import CacheEngine

/// What an ``AdminServer`` shows. Each closure is called for each request, and bounds its own time.
package struct AdminPages: Sendable {
    /// Whether the service should get requests, part by part.
    package var readiness: @Sendable () async -> [ReadinessCheck]
    /// In Prometheus' text format, version 0.0.4.
    package var metrics: @Sendable () async -> [UInt8]
    package var statistics: @Sendable () async -> EngineFigures
    /// The settings in force, without secrets.
    package var configuration: @Sendable () -> [(key: String, value: String)]

    package init(
        readiness: @escaping @Sendable () async -> [ReadinessCheck], metrics: @escaping @Sendable () async -> [UInt8],
        statistics: @escaping @Sendable () async -> EngineFigures,
        configuration: @escaping @Sendable () -> [(key: String, value: String)]
    ) {
        self.readiness = readiness
        self.metrics = metrics
        self.statistics = statistics
        self.configuration = configuration
    }
}

/// Whether a part of the service can do its work.
package struct ReadinessCheck: Sendable, Equatable {
    /// Of a closed set.
    package let name: String
    /// Why it cannot, for an operator; without secrets. `nil` if it can.
    package let trouble: String?

    /// - Parameter trouble: `nil` for a part that can do its work.
    package init(_ name: String, trouble: String? = nil) {
        self.name = name
        self.trouble = trouble
    }

    package var isReady: Bool { self.trouble == nil }
}
