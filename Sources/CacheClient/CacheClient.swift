// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
public import NIOCore
import NIOPosix
import OpenSSLTLS
import Synchronization

/// A semantic cache, over the network.
///
/// ```swift
/// try await CacheClient.withClient(ClientConfiguration(try ServerAddress("cache.internal:7070"))) { client in
///     if case .hit(let hit) = try await client.lookup(question, in: "support-bot") { return hit.best.text }
///     let answer = try await askTheModel(question)
///     _ = try await client.store(answer, for: question, in: "support-bot", timeToLive: .seconds(3600))
///     return answer
/// }
/// ```
///
/// One client has one connection to each of its servers, made by the first calls and made again when it is lost; any
/// number of tasks may call at the same time, and a slow call does not hold up the others. A call ends by its deadline at
/// the latest. Cancelling the task that made it ends it at once, and tells the server. Of several servers, each call goes
/// to one that is well: see ``ClientConfiguration/addresses``.
public final class CacheClient: Sendable {
    private let configuration: ClientConfiguration
    private let configurationFault: CacheClientError?
    private let inbox: CallInbox
    private let lastID = Atomic<UInt64>(0)

    /// Makes a client; it connects when it is first called. Whatever is wrong with its configuration, such as a file that
    /// cannot be read, is what each call fails with.
    ///
    /// - Parameter eventLoopGroup: The connections run on one of its event loops; the process's shared ones if `nil`. Not
    ///   shut down by the client.
    public init(
        _ configuration: ClientConfiguration = ClientConfiguration(), eventLoopGroup: (any EventLoopGroup)? = nil
    ) {
        let group = eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton
        self.configuration = configuration
        var fault = configuration.fault
        var tls: RenewedTLSContext?
        do throws(TLSError) {
            tls = if let tls = configuration.tls { try RenewedTLSContext(tls.configuration) } else { nil }
        } catch {
            fault = fault ?? CacheClientError(.invalidArgument, error.reason, field: "tls")
        }
        self.configurationFault = fault
        self.inbox = CallInbox(configuration, tls, eventLoop: group.next())
    }

    deinit {
        // Nobody can be waiting for an answer: a call in progress keeps the client.
        self.inbox.put(.close(done: nil))
    }

    /// Makes a client, hands it to a closure, and closes it whatever happens there.
    public static func withClient<Value>(
        _ configuration: ClientConfiguration = ClientConfiguration(), _ body: (CacheClient) async throws -> Value
    ) async throws -> Value {
        let client = CacheClient(configuration)
        do {
            let value = try await body(client)
            await client.close()
            return value
        } catch {
            await client.close()
            throw error
        }
    }

    /// Takes no new calls, lets those in flight finish within their deadlines, and ends the connection.
    ///
    /// Calls that still wait for their turn, and later ones, fail with `.unavailable`. May be called more than once.
    public func close() async {
        await withCheckedContinuation { self.inbox.put(.close(done: $0)) }
    }

    /// Makes a call and waits for its answer.
    func call(_ request: ServiceRequest, timeout: Duration?) async throws(CacheClientError) -> ServiceResponse {
        if let fault = self.configurationFault { throw fault }
        let request = try request.checked()
        let span = CallSpan(request.method, to: self.configuration.addresses)
        let result = await self.result(of: request, timeout: timeout, traceparent: span?.traceparent ?? "")
        span?.end(result)
        return try result.get()
    }

    private func result(
        of request: ServiceRequest, timeout: Duration?, traceparent: String
    ) async -> Result<ServiceResponse, CacheClientError> {
        let deadline = NIODeadline.now() + TimeAmount(bounded: timeout ?? self.configuration.timeout)
        let id = self.lastID.add(1, ordering: .relaxed).newValue
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let context = CallContext(request: request, traceparent: traceparent, continuation: continuation)
                self.inbox.put(
                    .call(
                        PendingCall(
                            id: id, method: request.method, deadline: deadline, isRepeatable: request.isRepeatable,
                            context: context)))
                // A cancellation that came before the call was put in has found nothing to cancel.
                if Task.isCancelled { self.inbox.put(.cancel(id: id)) }
            }
        } onCancel: {
            self.inbox.put(.cancel(id: id))
        }
    }
}
