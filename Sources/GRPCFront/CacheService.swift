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

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        for method in ServiceMethod.allCases {
            router.registerHandler(
                forMethod: MethodDescriptor(
                    fullyQualifiedService: method.service, method: method.rawValue, type: .unary),
                deserializer: RequestDeserializer(method: method), serializer: ResponseSerializer()
            ) { request, _ in
                await self.answer(request)
            }
        }
    }

    private func answer(_ request: StreamingServerRequest<ReceivedRequest>) async -> StreamingServerResponse<
        ServiceResponse
    > {
        switch await self.result(of: request) {
        case .success(let response): StreamingServerResponse(single: ServerResponse(message: response))
        case .failure(let error): StreamingServerResponse(error: RPCError(error))
        }
    }

    private func result(of request: StreamingServerRequest<ReceivedRequest>) async -> CallInFlight.Answer {
        do throws(CacheError) {
            // The time that it takes to find out who calls is the caller's.
            let arrival = ContinuousClock.now
            let metadata = request.metadata
            guard let peer = self.peers.peer(of: metadata) else {
                throw CacheError(.cancelled, "the connection is gone")
            }
            let principal = try await self.authentication.principal(
                of: metadata, from: peer, at: self.dispatcher.engine.now)
            let tenant = try self.dispatcher.engine.tenant(try principal.scope(naming: try metadata.tenant()))
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
                try self.dispatcher.admit(
                    request, of: tenant, roles: principal.roles, bytes: received.bytes, from: .grpc)
                call = self.dispatcher.begin(request, of: tenant, by: deadline, from: metadata.origin)
            }
            let answer = await withRPCCancellationHandler {
                await call.answer
            } onCancelRPC: {
                call.cancel()
            }
            return peer.isOverfull ? answer.withoutPayload : answer
        } catch {
            return .failure(error)
        }
    }
}

extension CallInFlight.Answer {
    /// An error in the place of what could be large.
    fileprivate var withoutPayload: Self {
        switch self {
        case .success(.lookup(.hit)), .success(.export):
            .failure(CacheError(.resourceExhausted, "too many replies wait to be read; read them first"))
        default: self
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

struct ResponseSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ response: ServiceResponse) -> Bytes {
        response.withPacked { packed in
            var bytes = Bytes(repeating: 0, count: packed.byteCount)
            bytes.withUnsafeMutableBytes { packed.write(to: $0) }
            return bytes
        }
    }
}
