// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CacheModel
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// The keys behind a URL: fetched when they are needed, by one fetch at a time that all who need it wait for.
final class RemoteKeys: Sendable {
    struct Source: Sendable, Equatable {
        let url: String
        let algorithms: Set<TokenConfiguration.Algorithm>
        let refresh: Duration
    }

    private struct State {
        var schedule: KeySchedule
        var fetch: Task<Void, Never>?
    }

    let source: Source
    private let deadline: Duration
    private let logger: Logger
    private let state: Mutex<State>

    /// - Parameter deadline: Of a fetch.
    init(_ source: Source, deadline: Duration, logger: Logger) {
        self.source = source
        self.deadline = deadline
        self.logger = logger
        self.state = Mutex(State(schedule: KeySchedule(refresh: source.refresh)))
    }

    /// The keys in force; waits, until the deadline of a fetch at most, if they are not fresh or must be newer.
    ///
    /// - Parameter areMissed: Whether a token names a key that is not among them.
    /// - Returns: `nil` if there are none.
    func keys(at now: Timestamp, areMissed: Bool = false) async -> [VerificationKey]? {
        if let fetch = self.fetchInProgress(at: now, areMissed) { await fetch.value }
        return self.state.withLock { $0.schedule.keys(at: now) }
    }

    /// Whether a key is among those that were fetched last.
    func trusts(_ key: Digest) -> Bool { self.state.withLock { $0.schedule.holds(key) } }

    func expire() { self.state.withLock { $0.schedule.expire() } }

    private func fetchInProgress(at now: Timestamp, _ areMissed: Bool) -> Task<Void, Never>? {
        self.state.withLock { state in
            if state.schedule.isFresh(at: now), !areMissed { return nil }
            if let fetch = state.fetch { return fetch }
            guard state.schedule.beginFetch(at: now) else { return nil }
            // Awaited by all who need the keys. A task of its own: it does not end with the peer that came first.
            let fetch = Task { await self.fetch(at: now) }
            state.fetch = fetch
            return fetch
        }
    }

    private func fetch(at now: Timestamp) async {
        let result: Result<[VerificationKey], KeyFault>
        do throws(KeyFault) {
            result = .success(
                try VerificationKey.keys(in: try await self.document(), for: self.source.algorithms))
        } catch {
            result = .failure(error)
        }
        let change = self.state.withLock { state in
            state.fetch = nil
            return state.schedule.endFetch(result, begunAt: now)
        }
        switch change {
        case .fetched(let count): self.logger.info("token keys fetched", metadata: ["keys": "\(count)"])
        case .failing(let fault, let count):
            self.logger.warning(
                "token keys cannot be fetched", metadata: ["error.code": "\(fault.rawValue)", "keys": "\(count)"])
        case nil: break
        }
    }

    private func document() async throws(KeyFault) -> [UInt8] {
        // A redirect is not followed: where keys come from is for the configuration to say.
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: TimeAmount(self.deadline - Limits.keyFetchDeadline + Limits.keyConnectDeadline), read: nil))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        // The issuer is none of those whom a trace concerns.
        configuration.tracing.tracer = nil
        let response: HTTPClient.Response
        do {
            // A client for each fetch: there is one in ten minutes, and none is left to be shut down.
            response = try await HTTPClient.withHTTPClient(configuration: configuration) { client in
                let request = try HTTPClient.Request(
                    url: self.source.url, headers: ["Accept": "application/jwk-set+json, application/json"])
                let body = ResponseAccumulator(request: request, maxBodySize: Limits.maximumKeySetBytes)
                // Here, unlike in the asynchronous form, the deadline is also the body's.
                let deadline = NIODeadline.now() + TimeAmount(self.deadline)
                return try await client.execute(request: request, delegate: body, deadline: deadline).get()
            }
        } catch {
            throw Self.fault(error)
        }
        guard response.status == .ok else { throw .status }
        return response.body.map { Array($0.readableBytesView) } ?? []
    }

    private static func fault(_ error: any Error) -> KeyFault {
        let timeouts: [HTTPClientError] = [.deadlineExceeded, .connectTimeout, .tlsHandshakeTimeout]
        if error is ResponseAccumulator.ResponseTooBigError { return .tooLarge }
        if let error = error as? HTTPClientError, timeouts.contains(error) { return .timeout }
        return .unreachable
    }
}
