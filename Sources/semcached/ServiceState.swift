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
        var isStopping = false
    }

    let health = HealthState()
    private let state: Mutex<State>

    init(listeners: Set<String>) { self.state = Mutex(State(starting: listeners)) }

    func isListening(_ listener: String) {
        self.update { $0.starting.remove(listener) }
    }

    func isStopping() {
        self.update { $0.isStopping = true }
    }

    var checks: [ReadinessCheck] {
        let (starting, isStopping) = self.state.withLock { ($0.starting, $0.isStopping) }
        let trouble = starting.isEmpty ? nil : "not listening yet: \(starting.sorted().joined(separator: ", "))"
        return [
            ReadinessCheck("listening", trouble: trouble),
            ReadinessCheck("serving", trouble: isStopping ? "the service is about to stop" : nil),
        ]
    }

    private func update<Ignored>(_ change: (inout State) -> Ignored) {
        // Under the lock, so that the last change is the last that is told.
        self.state.withLock { state in
            _ = change(&state)
            self.health.isServing = state.starting.isEmpty && !state.isStopping
        }
    }
}
