// SPDX-License-Identifier: Apache-2.0

import CacheWire
import NIOCore

@testable import CacheClient

/// What tests of the session's state machine have in common.
protocol SessionMachineTests {}

extension SessionMachineTests {
    typealias Machine = ClientSession.StateMachine<String>

    var start: NIODeadline { .uptimeNanoseconds(1_000_000_000) }
    var refused: ConnectionFault { .lost(CacheClientError(.unavailable, "refused", origin: .connection)) }
    var alien: ConnectionFault { .refused(CacheClientError(.internal, "alien", origin: .connection)) }

    func pending(_ id: UInt64, after: TimeAmount = .seconds(10), attempts: Int = 0) -> PendingCall<String> {
        var call = PendingCall(id: id, method: .ping, deadline: self.start + after, context: "call \(id)")
        call.attempts = attempts
        return call
    }

    func makeMachine(waits: Bool = false, maximumWaiting: Int = 100, retries: Bool = true) -> Machine {
        Machine(
            Machine.Policy(
                backoff: Backoff(minimum: .milliseconds(100), maximum: .seconds(1)),
                maximumWaitingCalls: maximumWaiting,
                retriesLostCalls: retries, waitsForConnection: waits, handoverPatience: .seconds(5)))
    }

    func summary(_ action: Machine.SubmitAction) -> String {
        switch action {
        case .wait(let thenConnect): thenConnect ? "connect" : "wait"
        case .fail(let call, let error): "fail \(call.id) \(error.code)"
        }
    }

    func summary(_ action: Machine.EndAction) -> String {
        let failed = action.failed.map { "\($0.call.id) \($0.error.code)" }.joined(separator: ", ")
        return "failed [\(failed)]\(action.connect ? ", connect" : "")"
    }
}
