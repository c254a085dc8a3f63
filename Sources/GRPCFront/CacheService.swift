// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import GRPCCore

/// The schema's services over stock gRPC: the same codec, the same dispatcher.
struct CacheService: RegistrableRPCService {
    let dispatcher: Dispatcher
    let authentication: CallAuthentication
    let peers: PeerTable
    let journal: ListenerJournal

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        for method in ServiceMethod.allCases {
            router.registerHandler(
                forMethod: MethodDescriptor(
                    fullyQualifiedService: method.service, method: method.rawValue, type: .unary),
                deserializer: RequestDeserializer(method: method), serializer: BytesSerializer()
            ) { request, _ in
                await self.answer(request, method)
            }
        }
    }

    private func answer(
        _ request: StreamingServerRequest<ReceivedRequest>, _ method: ServiceMethod
    ) async -> StreamingServerResponse<[UInt8]> {
        guard let call = self.peers.call(of: request.metadata) else {
            return StreamingServerResponse(error: RPCError(CacheError(.cancelled, "the connection is gone")))
        }
        var question = Question(method, from: request.metadata.origin)
        let result = await self.result(of: request, from: call.peer, &question)
        let encoded = result.flatMap { $0.encoded(for: call) }
        if case .failure(let error) = encoded {
            self.dispatcher.answered(question, .failure(error))
        } else {
            self.dispatcher.answered(question, result)
        }
        switch encoded {
        case .success(let response): return StreamingServerResponse(single: ServerResponse(message: response))
        case .failure(let error): return StreamingServerResponse(error: RPCError(error))
        }
    }

    /// - Parameter question: Learns for whom it is asked.
    private func result(
        of request: StreamingServerRequest<ReceivedRequest>, from peer: Peer, _ question: inout Question
    ) async -> CallInFlight.Answer {
        do throws(CacheError) {
            // The time that it takes to find out who calls is the caller's.
            let arrival = ContinuousClock.now
            let metadata = request.metadata
            let principal = try await self.principal(of: metadata, from: peer)
            let tenant = try self.dispatcher.engine.tenant(try principal.scope(naming: try metadata.tenant()))
            question.tenant = tenant.scope
            let deadline = arrival + (try metadata.timeAllowed())
            // Only now: a stranger's request is not read.
            let received = try await request.onlyMessage()
            let call: CallInFlight
            switch received.request {
            case .failure(let error):
                // Making requests that cannot be served is not free either.
                try tenant.admit(bytes: received.bytes, at: self.dispatcher.engine.now)
                throw error
            case .success(let request):
                try self.dispatcher.admit(request, of: tenant, roles: principal.roles, bytes: received.bytes)
                call = self.dispatcher.begin(request, of: tenant, by: deadline, from: metadata.origin)
            }
            return await withRPCCancellationHandler {
                await call.answer
            } onCancelRPC: {
                call.cancel()
            }
        } catch {
            return .failure(error)
        }
    }

    private func principal(of metadata: Metadata, from peer: Peer) async throws(CacheError) -> Principal {
        do throws(CacheError) {
            return try await self.authentication.principal(of: metadata, from: peer, at: self.dispatcher.engine.now)
        } catch {
            self.journal.credentialRefused(error, of: peer.address)
            throw error
        }
    }
}

extension ServiceResponse {
    /// Its bytes, for which there must be room; an error in the place of what could be large.
    fileprivate func encoded(for call: PeerCall) -> Result<[UInt8], CacheError> {
        self.withPacked { packed in
            guard call.peer.reserve(packed.byteCount, for: call.number, isLarge: self.isLarge) else {
                return .failure(
                    CacheError(.resourceExhausted, "too many replies wait to be read; read them first"))
            }
            let bytes = [UInt8](unsafeUninitializedCapacity: packed.byteCount) { bytes, count in
                packed.write(to: UnsafeMutableRawBufferPointer(bytes))
                count = packed.byteCount
            }
            return .success(bytes)
        }
    }

    private var isLarge: Bool {
        switch self {
        case .lookup(.hit), .export, .embed, .labels: true
        default: false
        }
    }
}

extension StreamingServerRequest<ReceivedRequest> {
    /// The one message of a call that has one.
    fileprivate func onlyMessage() async throws(CacheError) -> ReceivedRequest {
        var only: ReceivedRequest?
        do {
            for try await message in self.messages {
                guard only == nil else { break }
                only = message
            }
        } catch {
            throw CacheError(.cancelled, "the request did not arrive as a whole")
        }
        guard let only else { throw CacheError(.invalidArgument, "the call has no message") }
        return only
    }
}

/// A request as it came: what is wrong with it is an answer, not a fault of the transport.
struct ReceivedRequest: Sendable {
    let bytes: Int
    let request: Result<ServiceRequest, CacheError>
}

struct RequestDeserializer: MessageDeserializer {
    let method: ServiceMethod

    func deserialize<Bytes: GRPCContiguousBytes>(_ serialized: Bytes) -> ReceivedRequest {
        let request = serialized.withUnsafeBytes { bytes -> Result<ServiceRequest, CacheError> in
            do throws(CacheError) {
                return .success(try ServiceRequest(self.method, bytes))
            } catch {
                return .failure(error)
            }
        }
        return ReceivedRequest(bytes: serialized.count, request: request)
    }
}
