// SPDX-License-Identifier: Apache-2.0

/// Why a model cannot be used, or did not make a vector.
package struct ModelError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// A file is not there.
        case missing
        /// A file is there, but its content cannot be right.
        case damaged
        /// The model is sound, but not one that this code or this machine can run.
        case unsupported
        /// What was to be encoded is no sequence of tokens of this model.
        case invalidInput = "invalid_input"
        case outOfMemory = "out_of_memory"
    }

    /// Says how to get the model; messages about its files end with it.
    package static let advice =
        "run ./deploy/model, or set embedder.model_path to a folder with model.safetensors and vocab.txt"

    package let code: Code
    /// Names the file and what is wrong with it; never what was to be encoded.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(self.code.rawValue): \(self.message)" }
}
