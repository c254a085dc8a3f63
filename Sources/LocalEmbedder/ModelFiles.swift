// SPDX-License-Identifier: Apache-2.0

/// Names the files of an all-MiniLM-L6-v2 model in a folder, after having checked them.
package struct ModelFiles: Sendable, Equatable {
    /// Holds the path of the weights, a safetensors file.
    package let weights: String
    /// Holds the path of the vocabulary, one token per line.
    package let vocabulary: String
    /// Differs between two models: the first digits of the SHA-256 of both files.
    package let revision: String

    /// What a file of the published model must be.
    private struct Expected {
        let name: String
        let size: Int
        let sha256: String
    }

    private static let weightsFile = Expected(
        name: "model.safetensors", size: 90_868_376,
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db")
    private static let vocabularyFile = Expected(
        name: "vocab.txt", size: 231_508,
        sha256: "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3")

    /// Finds the files and checks them.
    ///
    /// - Parameters:
    ///   - folder: Holds model.safetensors and vocab.txt.
    ///   - verify: Whether the files must be those of the published model, by size and SHA-256. False is for a model of
    ///     one's own, fine-tuned from it: then the files need only be there and not be empty.
    /// - Throws: ``ModelError`` with `.missing` or `.damaged`; the message names the file and says what to do.
    /// - Complexity: Reads 91 MB.
    package init(folder: String, verify: Bool = true) throws(ModelError) {
        // The small file first: most mistakes show without reading the large one.
        let vocabulary = try Self.check(Self.vocabularyFile, in: folder, verify: verify)
        let weights = try Self.check(Self.weightsFile, in: folder, verify: verify)
        self.vocabulary = vocabulary.path
        self.weights = weights.path
        self.revision = "\(weights.sha256.prefix(16))-\(vocabulary.sha256.prefix(16))"
    }

    private static func check(
        _ expected: Expected, in folder: String, verify: Bool
    ) throws(ModelError) -> (path: String, sha256: String) {
        let path = folder.hasSuffix("/") ? folder + expected.name : folder + "/" + expected.name
        let file = try Self.open(path)
        guard file.size > 0 else { throw ModelError(.damaged, "\(path) is empty") }
        if verify, file.size != expected.size {
            throw Self.difference(path, "it has \(file.size) bytes instead of \(expected.size)")
        }
        let sum = try file.sha256()
        if verify, sum != expected.sha256 {
            throw Self.difference(path, "its SHA-256 is \(sum) instead of \(expected.sha256)")
        }
        return (path, sum)
    }

    private static func open(_ path: String) throws(ModelError) -> ModelFile {
        do throws(ModelError) {
            return try ModelFile(opening: path)
        } catch {
            guard error.code == .missing else { throw error }
            throw ModelError(
                .missing, "\(error.message): fetch the model with deploy/model and configure the folder that it prints")
        }
    }

    private static func difference(_ path: String, _ what: String) -> ModelError {
        ModelError(
            .damaged,
            "\(path) is not that of all-MiniLM-L6-v2: \(what); fetch it again with deploy/model, "
                + "or switch verification off if the model is your own")
    }
}
