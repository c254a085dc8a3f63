// SPDX-License-Identifier: Apache-2.0

import CKernels

/// The tensors of all-MiniLM-L6-v2 in a safetensors file, by name and with their shapes checked.
///
/// Points into the file: to be used while that is mapped.
struct MiniLMTensors {
    let vocabularySize: Int
    private let tensors: ck_encoder_tensors
    private let layers: [ck_encoder_layer_tensors]

    /// - Throws: ``ModelError`` with `.unsupported` when the file holds another network.
    init(_ file: borrowing SafeTensors) throws(ModelError) {
        let hidden = Int(CK_ENCODER_DIMENSIONS), expanded = Int(CK_ENCODER_FEED_FORWARD)
        let words = "embeddings.word_embeddings.weight", positions = "embeddings.position_embeddings.weight"
        let types = "embeddings.token_type_embeddings.weight"
        let wordCount = try file.shape(of: words).first ?? 0
        let positionCount = try file.shape(of: positions).first ?? 0
        let typeCount = try file.shape(of: types).first ?? 0
        guard wordCount > 0, positionCount >= Int(CK_ENCODER_MAXIMUM_TOKENS), typeCount > 0 else {
            throw Self.otherNetwork(file, "its tables of embeddings are too short")
        }
        // A deeper network has all the tensors of this one: its first layers alone would make other vectors.
        guard !file.contains("encoder.layer.\(CK_ENCODER_LAYERS).attention.self.query.weight") else {
            throw Self.otherNetwork(file, "it has more than \(CK_ENCODER_LAYERS) layers")
        }
        self.vocabularySize = wordCount
        var tensors = ck_encoder_tensors()
        tensors.word_embeddings = try file.floats(words, shape: [wordCount, hidden])
        tensors.vocabulary = wordCount
        tensors.position_embeddings = try file.floats(positions, shape: [positionCount, hidden])
        tensors.type_embedding = try file.floats(types, shape: [typeCount, hidden])
        tensors.embedding_norm = try Self.norm(file, "embeddings.LayerNorm")
        self.tensors = tensors

        var layers: [ck_encoder_layer_tensors] = []
        for i in 0..<Int(CK_ENCODER_LAYERS) {
            let name = "encoder.layer.\(i)."
            var layer = ck_encoder_layer_tensors()
            layer.query = try Self.affine(file, name + "attention.self.query", from: hidden, to: hidden)
            layer.key = try Self.affine(file, name + "attention.self.key", from: hidden, to: hidden)
            layer.value = try Self.affine(file, name + "attention.self.value", from: hidden, to: hidden)
            layer.attention_output = try Self.affine(file, name + "attention.output.dense", from: hidden, to: hidden)
            layer.attention_norm = try Self.norm(file, name + "attention.output.LayerNorm")
            layer.expansion = try Self.affine(file, name + "intermediate.dense", from: hidden, to: expanded)
            layer.contraction = try Self.affine(file, name + "output.dense", from: expanded, to: hidden)
            layer.output_norm = try Self.norm(file, name + "output.LayerNorm")
            layers.append(layer)
        }
        self.layers = layers
    }

    /// Lends all pointers in the form that C takes.
    func withTensors<Result>(_ body: (inout ck_encoder_tensors) -> Result) -> Result {
        self.layers.withUnsafeBufferPointer { layers in
            var tensors = self.tensors
            tensors.layers = layers.baseAddress
            return body(&tensors)
        }
    }

    private static func affine(_ file: borrowing SafeTensors, _ name: String, from inputs: Int, to outputs: Int)
        throws(ModelError) -> ck_encoder_affine
    {
        ck_encoder_affine(
            weight: try file.floats(name + ".weight", shape: [outputs, inputs]),
            bias: try file.floats(name + ".bias", shape: [outputs]))
    }

    private static func norm(_ file: borrowing SafeTensors, _ name: String) throws(ModelError) -> ck_encoder_norm {
        let width = Int(CK_ENCODER_DIMENSIONS)
        return ck_encoder_norm(
            gain: try file.floats(name + ".weight", shape: [width]),
            bias: try file.floats(name + ".bias", shape: [width]))
    }

    private static func otherNetwork(_ file: borrowing SafeTensors, _ what: String) -> ModelError {
        ModelError(.unsupported, "\(file.path) is not all-MiniLM-L6-v2: \(what); \(ModelError.advice)")
    }
}
