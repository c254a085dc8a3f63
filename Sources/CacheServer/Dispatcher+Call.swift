// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Synchronization

extension Dispatcher {
    /// Begins a call that ``admit(_:of:roles:bytes:)`` let in, and sees to its end.
    ///
    /// - Parameter deadline: By then there is an answer, whatever the call waits for.
    package func begin(
        _ request: ServiceRequest, of tenant: Tenant, by deadline: ContinuousClock.Instant, from origin: CallOrigin
    ) -> CallInFlight {
        let call = CallInFlight()
        // Unstructured, because the answer does not wait for what cannot be interrupted. The call owns both and cancels
        // them when it is answered; the tenant's account counts it until the work is done.
        let work = Task {
            let result = await self.dispatch(request, scope: tenant.scope, by: deadline, from: origin)
            tenant.account.endCall()
            call.answer { result }
        }
        let timer = Task {
            guard (try? await Task.sleep(until: deadline, tolerance: .zero, clock: .continuous)) != nil else { return }
            call.answer { self.late(request, scope: tenant.scope) }
        }
        call.own([work, timer])
        return call
    }
}

/// A call that a task waits for, as opposed to one whose answer an event loop writes.
package final class CallInFlight: Sendable {
    package typealias Answer = Result<ServiceResponse, CacheError>

    private enum State {
        case open(waiter: CheckedContinuation<Answer, Never>?)
        /// Whoever is to answer is about to.
        case claimed(waiter: CheckedContinuation<Answer, Never>?)
        case answered(Answer)
    }

    private let state = Mutex((State.open(waiter: nil), tasks: [Task<Void, Never>]()))

    /// The answer. To be asked for once; a task that is cancelled gives the call up.
    package var answer: Answer {
        get async {
            await withTaskCancellationHandler {
                await withCheckedContinuation { self.wait($0) }
            } onCancel: {
                self.cancel()
            }
        }
    }

    /// Gives the call up, unless it is answered already.
    package func cancel() { self.answer { .failure(CacheError(.cancelled, "the call was given up")) } }

    /// - Parameter tasks: Stopped once there is an answer.
    fileprivate func own(_ tasks: [Task<Void, Never>]) {
        let isOpen = self.state.withLock { state in
            guard case .open = state.0 else { return false }
            state.tasks = tasks
            return true
        }
        if !isOpen { for task in tasks { task.cancel() } }
    }

    /// Answers unless another did.
    ///
    /// - Parameter make: Counts what it makes, so it is called only if that will be the answer.
    fileprivate func answer(_ make: () -> Answer) {
        let tasks = self.state.withLock { state -> [Task<Void, Never>]? in
            guard case .open(let waiter) = state.0 else { return nil }
            state.0 = .claimed(waiter: waiter)
            defer { state.tasks = [] }
            return state.tasks
        }
        guard let tasks else { return }
        let answer = make()
        let waiter = self.state.withLock { state -> CheckedContinuation<Answer, Never>? in
            guard case .claimed(let waiter) = state.0 else { return nil }
            state.0 = .answered(answer)
            return waiter
        }
        for task in tasks { task.cancel() }
        waiter?.resume(returning: answer)
    }

    private func wait(_ waiter: CheckedContinuation<Answer, Never>) {
        let answer = self.state.withLock { state -> Answer? in
            switch state.0 {
            case .open: state.0 = .open(waiter: waiter)
            case .claimed: state.0 = .claimed(waiter: waiter)
            case .answered(let answer): return answer
            }
            return nil
        }
        if let answer { waiter.resume(returning: answer) }
    }
}
