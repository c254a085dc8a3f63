// SPDX-License-Identifier: Apache-2.0

import GRPCCore

/// Server reflection, version 1 and what clients knew before it; on the wire they are the same.
struct ReflectionService: RegistrableRPCService {
    private static let services = [
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
    ]

    let files: SchemaFiles

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        for service in Self.services {
            router.registerHandler(
                forMethod: MethodDescriptor(
                    fullyQualifiedService: service, method: "ServerReflectionInfo", type: .bidirectionalStreaming),
                deserializer: ReflectionRequestDeserializer(), serializer: BytesSerializer()
            ) { request, _ in
                StreamingServerResponse { writer in
                    for try await question in request.messages { try await writer.write(self.answer(question)) }
                    return [:]
                }
            }
        }
    }

    /// A `ServerReflectionResponse`.
    func answer(_ request: ReflectionRequest) -> [UInt8] {
        var response = ProtobufWriter()
        response.text(1, request.host)
        response.data(2, request.bytes)
        switch request.question {
        case .file(let name): self.write(self.files.file(named: name), to: &response)
        case .symbol(let name): self.write(self.files.file(declaring: name), to: &response)
        case .extensionNumbers(let type):
            guard self.files.file(declaring: type) != nil else { return Self.notFound(response) }
            response.message(5) { $0.text(1, type) }
        // There are none in the schema.
        case .fileOfExtension: return Self.notFound(response)
        case .services:
            response.message(6) { list in
                for service in self.files.services { list.message(1) { $0.text(1, service) } }
            }
        case .unknown: Self.write(.invalidArgument, "the request asks nothing that this server knows", to: &response)
        }
        return response.bytes
    }

    private func write(_ file: SchemaFiles.File?, to response: inout ProtobufWriter) {
        guard let file else { return Self.write(.notFound, "not found", to: &response) }
        response.message(4) { answer in
            for file in self.files.withImports(file) { answer.data(1, file.bytes) }
        }
    }

    private static func notFound(_ response: ProtobufWriter) -> [UInt8] {
        var response = response
        self.write(.notFound, "not found", to: &response)
        return response.bytes
    }

    private static func write(_ code: Status.Code, _ message: String, to response: inout ProtobufWriter) {
        response.message(7) { error in
            error.varint(1, UInt64(code.rawValue))
            error.text(2, message)
        }
    }
}

/// A `ServerReflectionRequest`.
struct ReflectionRequest: Sendable {
    enum Question: Sendable, Equatable {
        case file(named: String)
        case symbol(String)
        case fileOfExtension
        case extensionNumbers(type: String)
        case services
        case unknown
    }

    /// As it came: the answer repeats it.
    let bytes: [UInt8]
    private(set) var host = ""
    private(set) var question = Question.unknown

    /// - Throws: `RPCError` for what is no such message.
    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        var fields = ProtobufFields(bytes[...])
        while let (field, value) = fields.next() {
            guard case .data(let data) = value else { continue }
            switch field {
            case 1: self.host = try String(wire: data)
            case 3: self.question = .file(named: try String(wire: data))
            case 4: self.question = .symbol(try String(wire: data))
            case 5: self.question = .fileOfExtension
            case 6: self.question = .extensionNumbers(type: try String(wire: data))
            case 7: self.question = .services
            default: break
            }
        }
        guard !fields.isMalformed else { throw RPCError.malformed }
    }
}

struct ReflectionRequestDeserializer: MessageDeserializer {
    func deserialize<Bytes: GRPCContiguousBytes>(_ serialized: Bytes) throws -> ReflectionRequest {
        try ReflectionRequest(serialized.withUnsafeBytes { Array($0) })
    }
}

struct BytesSerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) -> Bytes { Bytes(message) }
}
