// SPDX-License-Identifier: Apache-2.0

import GRPCCore

/// `grpc.health.v1.Health`. Needs no credential: load balancers have none.
struct HealthService: RegistrableRPCService {
    /// `HealthCheckResponse.ServingStatus`.
    enum ServingStatus: UInt64 {
        case serving = 1
        case notServing = 2
        case serviceUnknown = 3

        init(isServing: Bool) { self = isServing ? .serving : .notServing }
    }

    private static let service = "grpc.health.v1.Health"

    let health: HealthState
    /// Services that there are.
    let names: Set<String>

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(
            forMethod: MethodDescriptor(fullyQualifiedService: Self.service, method: "Check", type: .unary),
            deserializer: HealthRequestDeserializer(), serializer: ServingStatusSerializer()
        ) { request, _ in
            let request = try await ServerRequest(stream: request)
            return StreamingServerResponse(single: self.check(request.message))
        }
        router.registerHandler(
            forMethod: MethodDescriptor(fullyQualifiedService: Self.service, method: "Watch", type: .serverStreaming),
            deserializer: HealthRequestDeserializer(), serializer: ServingStatusSerializer()
        ) { request, _ in
            let request = try await ServerRequest(stream: request)
            return StreamingServerResponse { writer in
                try await self.watch(request.message, writer)
                return [:]
            }
        }
    }

    private func check(_ name: String) -> ServerResponse<ServingStatus> {
        guard self.names.contains(name) else {
            return ServerResponse(error: RPCError(code: .notFound, message: "there is no such service"))
        }
        return ServerResponse(message: ServingStatus(isServing: self.health.isServing))
    }

    /// Ends when the client gives up, the connection ends, or the server stops, which is the last that is told.
    private func watch(_ name: String, _ writer: RPCWriter<ServingStatus>) async throws {
        let (values, end) = self.health.watch()
        defer { end() }
        let isKnown = self.names.contains(name)
        if !isKnown { try await writer.write(.serviceUnknown) }
        let isLastServing = try await withRPCCancellationHandler {
            var last = false
            for await isServing in values where isKnown {
                last = isServing
                try await writer.write(ServingStatus(isServing: isServing))
            }
            return last
        } onCancelRPC: {
            end()
        }
        if isLastServing { try await writer.write(.notServing) }
    }
}

/// The name of a service.
struct HealthRequestDeserializer: MessageDeserializer {
    func deserialize<Bytes: GRPCContiguousBytes>(_ serialized: Bytes) throws -> String {
        var name = ""
        var fields = ProtobufFields(serialized.withUnsafeBytes { ArraySlice($0) })
        while let (field, value) = fields.next() {
            if field == 1, case .data(let bytes) = value { name = try String(wire: bytes) }
        }
        guard !fields.isMalformed else { throw RPCError.malformed }
        return name
    }
}

struct ServingStatusSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ status: HealthService.ServingStatus) -> Bytes {
        var message = ProtobufWriter()
        message.varint(1, status.rawValue)
        return Bytes(message.bytes)
    }
}

extension String {
    /// - Throws: `RPCError` for bytes that are not UTF-8.
    init(wire bytes: ArraySlice<UInt8>) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw RPCError.malformed }
        self = text
    }
}

extension RPCError {
    static var malformed: RPCError { RPCError(code: .invalidArgument, message: "message is no valid protobuf") }
}
