// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore
import OpenSSLTLS
import Synchronization

/// What a call needs to be sent and answered.
struct CallContext: Sendable {
    let request: ServiceRequest
    /// W3C trace context, or empty.
    let traceparent: String
    let continuation: CheckedContinuation<Result<ServiceResponse, CacheClientError>, Never>
}

/// The way from the callers' tasks to the event loop of the session.
///
/// Whatever was put in before the event loop comes to look is taken out at once, so that calls made at the same time cost
/// one wake-up and one write.
final class CallInbox: Sendable {
    enum Item: Sendable {
        case call(PendingCall<CallContext>)
        case cancel(id: UInt64)
        /// - Parameter done: Told when the last connection has ended; `nil` if nobody asks.
        case close(done: CheckedContinuation<Void, Never>?)
    }

    private let items = Mutex<[Item]>([])
    private let eventLoop: any EventLoop
    private let session: NIOLoopBoundBox<AnySession>

    init(_ configuration: ClientConfiguration, _ tls: RenewedTLSContext?, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.session = .makeBoxSendingValue(
            AnySession(configuration, tls, eventLoop: eventLoop), eventLoop: eventLoop)
    }

    func put(_ item: Item) {
        let isFirst = self.items.withLock { items in
            items.append(item)
            return items.count == 1
        }
        if isFirst { self.eventLoop.execute { self.takeOut() } }
    }

    private func takeOut() {
        let items = self.items.withLock { items in
            let all = items
            items = []
            items.reserveCapacity(all.count)
            return all
        }
        self.session.value.process(items)
    }
}

/// What calls go to: one server is asked without a detour.
private enum AnySession {
    case one(ClientSession)
    case several(BalancedSession)

    init(_ configuration: ClientConfiguration, _ tls: RenewedTLSContext?, eventLoop: any EventLoop) {
        if configuration.addresses.count > 1 {
            self = .several(BalancedSession(configuration, tls, eventLoop: eventLoop))
        } else {
            self = .one(ClientSession(configuration, configuration.address, tls, eventLoop: eventLoop))
        }
    }

    func process(_ items: [CallInbox.Item]) {
        switch self {
        case .one(let session): session.process(items)
        case .several(let session): session.process(items)
        }
    }
}

extension PendingCall<CallContext> {
    func finish(_ result: Result<ServiceResponse, CacheClientError>) {
        self.context.continuation.resume(returning: result)
    }
}
