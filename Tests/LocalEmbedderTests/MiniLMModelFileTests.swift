// SPDX-License-Identifier: Apache-2.0

import CKernels
import Foundation
import Testing

@testable import LocalEmbedder

/// Loading of model files that are not the published one. They are made here, of zeros that take no space.
@Suite struct MiniLMModelFileTests {
    /// Names and shapes of the tensors of a network with so many layers.
    private static func tensors(layers: Int = 6) -> [(name: String, shape: [Int])] {
        var tensors: [(String, [Int])] = [
            ("embeddings.word_embeddings.weight", [1000, 384]), ("embeddings.position_embeddings.weight", [512, 384]),
            ("embeddings.token_type_embeddings.weight", [2, 384]), ("embeddings.LayerNorm.weight", [384]),
            ("embeddings.LayerNorm.bias", [384]),
        ]
        for layer in 0..<layers {
            let matrices = [
                ("attention.self.query", 384, 384), ("attention.self.key", 384, 384),
                ("attention.self.value", 384, 384), ("attention.output.dense", 384, 384),
                ("intermediate.dense", 1536, 384), ("output.dense", 384, 1536),
            ]
            for (name, outputs, inputs) in matrices {
                tensors.append(("encoder.layer.\(layer).\(name).weight", [outputs, inputs]))
                tensors.append(("encoder.layer.\(layer).\(name).bias", [outputs]))
            }
            for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
                tensors.append(("encoder.layer.\(layer).\(name).weight", [384]))
                tensors.append(("encoder.layer.\(layer).\(name).bias", [384]))
            }
        }
        return tensors
    }

    /// Makes a file of zeros except for `value`, the last number of the tensor `name`, and returns what loading throws.
    private func refusal(
        _ tensors: [(name: String, shape: [Int])], value: Float = 0, in name: String = "", isa: ck_isa = ck_isa_best(),
        precision: MiniLMEncoder.Precision = .int16
    ) throws -> ModelError? {
        var entries: [String] = []
        var (end, place) = (0, 0)
        for tensor in tensors {
            let start = end
            end += tensor.shape.reduce(4, *)
            entries.append(
                #""\#(tensor.name)":{"dtype":"F32","shape":\#(tensor.shape),"data_offsets":[\#(start),\#(end)]}"#)
            if tensor.name == name { place = end - 4 }
        }
        var header = Data("{\(entries.joined(separator: ","))}".utf8)
        header.append(Data(repeating: 32, count: 8 - header.count % 8))
        let url = FileManager.default.temporaryDirectory.appending(path: "minilm-\(UUID().uuidString).safetensors")
        defer { try? FileManager.default.removeItem(at: url) }
        try (withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header).write(to: url)
        let handle = try FileHandle(forWritingTo: url)
        try handle.truncate(atOffset: UInt64(8 + header.count + end))
        try handle.seek(toOffset: UInt64(8 + header.count + place))
        try handle.write(contentsOf: withUnsafeBytes(of: value) { Data($0) })
        try handle.close()
        do throws(ModelError) {
            _ = try MiniLMEncoder(modelFile: url.path, precision: precision, isa: isa)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a file without direction is refused, one with a direction is not`() throws {
        let error = try self.refusal(Self.tensors())
        #expect(error?.code == .damaged)
        #expect(error?.message.contains("deploy/model") == true)
        #expect(try self.refusal(Self.tensors(), value: 1, in: "encoder.layer.5.output.LayerNorm.bias") == nil)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity, 1000, -1e30], MiniLMEncoder.Precision.allCases)
    func `a weight that cannot be right is refused wherever it is`(
        value: Float, precision: MiniLMEncoder.Precision
    ) throws {
        let names = [
            "embeddings.word_embeddings.weight", "embeddings.LayerNorm.weight",
            "encoder.layer.0.attention.self.query.weight", "encoder.layer.3.attention.self.key.bias",
            "encoder.layer.5.output.dense.weight", "encoder.layer.5.output.LayerNorm.bias",
        ]
        for name in names {
            let error = try self.refusal(Self.tensors(), value: value, in: name, precision: precision)
            #expect(error?.code == .damaged, "\(name)")
            #expect(error?.message.contains("weights") == true)
        }
    }

    @Test func `a network of more or fewer layers is refused`() throws {
        #expect(try self.refusal(Self.tensors(layers: 12))?.code == .unsupported)
        let error = try self.refusal(Self.tensors(layers: 5))
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("encoder.layer.5.") == true)
    }

    @Test(arguments: [
        ("embeddings.word_embeddings.weight", [1000, 768]), ("embeddings.position_embeddings.weight", [255, 384]),
        ("embeddings.token_type_embeddings.weight", [384]), ("encoder.layer.2.intermediate.dense.weight", [384, 1536]),
        ("encoder.layer.2.output.dense.bias", [1, 384]), ("encoder.layer.0.attention.output.LayerNorm.bias", [383]),
    ])
    func `a network of other dimensions is refused`(name: String, shape: [Int]) throws {
        let tensors = Self.tensors().map { $0.name == name ? (name, shape) : $0 }
        let error = try self.refusal(tensors, value: 1, in: "encoder.layer.5.output.LayerNorm.bias")
        #expect(error?.code == .unsupported)
    }

    @Test func `a path that this machine lacks is refused`() throws {
        #if arch(arm64)
        let isa = CK_ISA_AVX2
        #else
        let isa = CK_ISA_NEON
        #endif
        let error = try self.refusal(Self.tensors(), value: 1, in: "encoder.layer.5.output.LayerNorm.bias", isa: isa)
        #expect(error?.code == .unsupported)
    }
}
