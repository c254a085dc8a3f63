// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import Telemetry

extension MetricFamily {
    /// A figure of the engine, as the registry takes it.
    package init(_ figures: FigureFamily) {
        let kind: Kind =
            switch figures.kind {
            case .counter: .counter
            case .gauge: .gauge
            }
        self.init(
            figures.name, help: figures.help, kind: kind,
            samples: figures.samples.map { sample in
                Sample(sample.labels.map { ($0.name, $0.value) }, sample.value)
            })
    }

    /// What `/readyz` says, for alerts.
    package init(_ checks: [ReadinessCheck]) {
        self.init(
            "semcache_ready", help: "Whether a part of the service can do its work", kind: .gauge,
            samples: checks.map { Sample([("check", $0.name)], $0.isReady ? 1.0 : 0.0) })
    }
}

extension MetricDeclaration {
    /// What the engine measures.
    package static var ofEngine: [Self] {
        (MetricDescription.ofEngine + MetricDescription.ofCoherence).map {
            Self($0.name, help: $0.help, bounds: $0.bounds)
        }
    }
}
