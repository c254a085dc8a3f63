// SPDX-License-Identifier: Apache-2.0

import AdminServer
import GRPCFront
import Synchronization

/// Whether the service wants to be sent calls. Load balancers ask the operator's port, gRPC clients `grpc.health.v1`; both
/// get the same answer.
///
/// A store that is down does not make it unready: it is the same for all replicas, and answering with a miss is better than
/// not answering.
final class ServiceState: Sendable {
    private struct State {
        /// Listeners that do not listen yet.
        var starting: Set<String>
        /// Embedders that have made no vector yet.
        var cold: Set<String>
        var isStopping = false
    }

    let health = HealthState()
    private let state: Mutex<State>

    init(listeners: Set<String>, coldEmbedders: Set<String>) {
        self.state = Mutex(State(starting: listeners, cold: coldEmbedders))
    }

    func isListening(_ listener: String) {
        self.update { $0.starting.remove(listener) }
    }

    /// An embedder has made its first vector. That it fails later does not make the service unready: exact hits need none.
    func isWarm(_ embedder: String) {
        self.update { $0.cold.remove(embedder) }
    }

    func isStopping() {
        self.update { $0.isStopping = true }
    }

    var checks: [ReadinessCheck] {
        let state = self.state.withLock { $0 }
        let names = { (all: Set<String>) in all.sorted().joined(separator: ", ") }
        return [
            ReadinessCheck(
                "listening", trouble: state.starting.isEmpty ? nil : "not listening yet: \(names(state.starting))"),
            ReadinessCheck(
                "embedding", trouble: state.cold.isEmpty ? nil : "has made no vector yet: \(names(state.cold))"),
            ReadinessCheck("serving", trouble: state.isStopping ? "the service is about to stop" : nil),
        ]
    }

    private func update<Ignored>(_ change: (inout State) -> Ignored) {
        // Under the lock, so that the last change is the last that is told.
        self.state.withLock { state in
            _ = change(&state)
            self.health.isServing = state.starting.isEmpty && state.cold.isEmpty && !state.isStopping
        }
    }
}
