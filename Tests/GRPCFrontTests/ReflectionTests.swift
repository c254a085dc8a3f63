// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import GRPCCore
import TestSupport
import Testing

@testable import GRPCFront

@Suite(.timeLimit(.minutes(1))) struct ReflectionTests {
    private let service = ReflectionService(files: .ours)

    /// Asks with one field of a request; what comes back is the one field of the answer that is not the question.
    private func answer(_ field: Int, _ value: String) throws -> (field: UInt64, value: ArraySlice<UInt8>) {
        let request = try ReflectionRequest(ProtobufBytes().text(1, "host").text(field, value).bytes)
        for case (let field, .data(let data)) in ProtobufFields(self.service.answer(request)[...]) where field >= 4 {
            return (field, data)
        }
        throw RPCError(code: .unknown, message: "no answer")
    }

    /// Names of the files in an answer.
    private func files(_ answer: ArraySlice<UInt8>) -> [String] {
        var names: [String] = []
        for case (1, .data(let file)) in ProtobufFields(answer) {
            for case (1, .data(let name)) in ProtobufFields(file) {
                names.append(String(decoding: name, as: UTF8.self))
            }
        }
        return names
    }

    private func errorCode(_ answer: ArraySlice<UInt8>) -> UInt64? {
        for case (1, .varint(let code)) in ProtobufFields(answer) { return code }
        return nil
    }

    @Test func `the services are listed`() throws {
        #expect(
            SchemaFiles.ours.services == [
                "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection", "semcached.v1.Admin", "semcached.v1.SemanticCache",
            ])
        let answer = try self.answer(7, "")
        #expect(answer.field == 6)
        #expect(String(decoding: answer.value, as: UTF8.self).contains("semcached.v1.SemanticCache"))
    }

    @Test(
        arguments: [
            ("semcached.v1.SemanticCache", "semcached/v1/semantic_cache.proto"),
            ("semcached.v1.SemanticCache.Lookup", "semcached/v1/semantic_cache.proto"),
            ("semcached.v1.LookupRequest", "semcached/v1/semantic_cache.proto"),
            ("semcached.v1.LookupRequest.top_k", "semcached/v1/semantic_cache.proto"),
            ("semcached.v1.LookupMode", "semcached/v1/semantic_cache.proto"),
            ("semcached.v1.LOOKUP_MODE_EXACT", "semcached/v1/semantic_cache.proto"),
            ("grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"),
            ("grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"),
            ("grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"),
        ]) func `a symbol is found in its file`(symbol: String, file: String) throws
    {
        let answer = try self.answer(4, symbol)
        #expect(answer.field == 4)
        #expect(self.files(answer.value) == [file])
    }

    @Test func `a file is found by its name`() throws {
        let answer = try self.answer(3, "semcached/v1/semantic_cache.proto")
        #expect(answer.field == 4)
        #expect(self.files(answer.value) == ["semcached/v1/semantic_cache.proto"])
    }

    @Test(arguments: [(3, "x.proto"), (4, "semcached.v1.Nothing"), (4, ""), (5, ""), (6, "semcached.v1.Nothing")])
    func `what is not there is not found`(field: Int, name: String) throws {
        let answer = try self.answer(field, name)
        #expect(answer.field == 7)
        #expect(self.errorCode(answer.value) == 5)
    }

    @Test func `a message of ours has no extensions`() throws {
        let answer = try self.answer(6, "semcached.v1.LookupRequest")
        #expect(answer.field == 5)
        #expect(String(decoding: answer.value, as: UTF8.self).contains("semcached.v1.LookupRequest"))
    }

    @Test func `a file comes with those that it imports, each once`() {
        func file(_ name: String, _ imports: [String]) -> [UInt8] {
            imports.reduce(ProtobufBytes().text(1, name)) { $0.text(3, $1) }.bytes
        }
        let set = ProtobufBytes().data(1, file("a", ["b", "c"])).data(1, file("b", ["c"])).data(1, file("c", ["a"]))
        let files = SchemaFiles(set.bytes[...])
        #expect(files.file(named: "a").map { files.withImports($0).map(\.name) } == ["a", "b", "c"])
    }

    @Test(arguments: ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"])
    func `both versions answer a client, question after question`(service: String) async throws {
        try await TestFront.run { front in
            try await front.withClient { client in
                let questions = [ProtobufBytes().text(7, ""), ProtobufBytes().text(3, "x.proto"), ProtobufBytes()]
                let answers = try await client.bidirectionalStreaming(
                    request: StreamingClientRequest { writer in
                        for question in questions { try await writer.write(question.bytes) }
                    },
                    descriptor: MethodDescriptor(fullyQualifiedService: service, method: "ServerReflectionInfo"),
                    serializer: Bytes(), deserializer: Bytes(), options: .defaults
                ) { response in
                    var answers: [[UInt8]] = []
                    for try await answer in response.messages { answers.append(answer) }
                    return answers
                }
                #expect(
                    zip(questions, answers).allSatisfy { question, answer in
                        answer == (try? ReflectionRequest(question.bytes)).map(self.service.answer)
                    })
                #expect(answers.count == 3)
            }
        }
    }

    @Test func `reflection can be switched off`() async throws {
        try await TestFront.run(hasReflection: false) { front in
            try await front.withClient { client in
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.unary("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", [0x3a, 0])
                }
                #expect(error?.code == .unimplemented)
            }
        }
    }
}
