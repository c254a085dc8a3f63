// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import LocalEmbedder

@Suite struct ModelFilesTests {
    private static let weightsSize: UInt64 = 90_868_376
    private static let vocabularySize: UInt64 = 231_508

    /// Runs with a folder of its own, which is removed afterwards.
    private func withFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "model-files-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }

    /// Makes a file of zeros, without taking the space.
    private func makeFile(_ name: String, size: UInt64, in folder: URL) throws {
        let url = folder.appending(path: name)
        try Data().write(to: url)
        let handle = try FileHandle(forWritingTo: url)
        try handle.truncate(atOffset: size)
        try handle.close()
    }

    private func realModel() throws -> String {
        try #require(
            ProcessInfo.processInfo.environment["SEMCACHED_TEST_MODEL"],
            "set SEMCACHED_TEST_MODEL to the folder that deploy/model prints")
    }

    private func refusal(_ folder: URL, verify: Bool = true) -> ModelError? {
        #expect(throws: ModelError.self) { try ModelFiles(folder: folder.path, verify: verify) }
    }

    @Test func `the published model passes`() throws {
        let folder = try self.realModel()
        let files = try ModelFiles(folder: folder)
        #expect(files.vocabulary == folder + "/vocab.txt")
        #expect(files.weights == folder + "/model.safetensors")
        #expect(try ModelFiles(folder: folder + "/") == files)
    }

    @Test(arguments: [true, false]) func `a missing file is refused with its name`(verify: Bool) throws {
        try self.withFolder { folder in
            let first = self.refusal(folder, verify: verify)
            #expect(first?.code == .missing)
            #expect(first?.message.contains("vocab.txt") == true)
            #expect(first?.message.contains("deploy/model") == true)
            let real = try self.realModel()
            try FileManager.default.copyItem(
                atPath: real + "/vocab.txt", toPath: folder.appending(path: "vocab.txt").path)
            let second = self.refusal(folder, verify: verify)
            #expect(second?.code == .missing)
            #expect(second?.message.contains("model.safetensors") == true)
        }
    }

    @Test func `a file of another size is refused with both sizes`() throws {
        try self.withFolder { folder in
            try self.makeFile("vocab.txt", size: Self.vocabularySize - 1, in: folder)
            let error = self.refusal(folder)
            #expect(error?.code == .damaged)
            #expect(error?.message.contains("231507") == true)
            #expect(error?.message.contains("231508") == true)
        }
    }

    @Test func `a changed file of the right size is refused with its sum`() throws {
        try self.withFolder { folder in
            let vocabulary = folder.appending(path: "vocab.txt").path
            try FileManager.default.copyItem(atPath: self.realModel() + "/vocab.txt", toPath: vocabulary)
            try self.makeFile("model.safetensors", size: Self.weightsSize, in: folder)
            let error = self.refusal(folder)
            #expect(error?.code == .damaged)
            #expect(error?.message.contains("model.safetensors") == true)
            #expect(error?.message.contains("53aa51172d142c89") == true)
        }
    }

    @Test func `a model of one's own passes when verification is off`() throws {
        try self.withFolder { folder in
            try self.makeFile("vocab.txt", size: 10, in: folder)
            try self.makeFile("model.safetensors", size: 10, in: folder)
            #expect(try ModelFiles(folder: folder.path, verify: false).weights.hasSuffix("/model.safetensors"))
            #expect(self.refusal(folder)?.code == .damaged)
        }
    }

    @Test func `an empty file and a folder are refused even when verification is off`() throws {
        try self.withFolder { folder in
            try self.makeFile("vocab.txt", size: 0, in: folder)
            #expect(self.refusal(folder, verify: false)?.code == .damaged)
            try FileManager.default.removeItem(at: folder.appending(path: "vocab.txt"))
            try FileManager.default.createDirectory(
                at: folder.appending(path: "vocab.txt"), withIntermediateDirectories: false)
            #expect(self.refusal(folder, verify: false)?.code == .damaged)
        }
    }

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ]) func `the sum of a file is its SHA-256`(text: String, sum: String) throws {
        try self.withFolder { folder in
            let url = folder.appending(path: "file")
            try Data(text.utf8).write(to: url)
            let file = try ModelFile(opening: url.path)
            #expect(try file.sha256() == sum)
            #expect(try file.readAll(atMost: 3) == Array(text.utf8))
        }
    }

    @Test func `a vocabulary without the special tokens is refused`() throws {
        try self.withFolder { folder in
            let url = folder.appending(path: "vocab.txt")
            try Data("[CLS]\n[UNK]\nthe\n".utf8).write(to: url)
            let error = #expect(throws: ModelError.self) { try WordPieceTokenizer(vocabularyFile: url.path) }
            #expect(error?.code == .unsupported)
            #expect(error?.message.contains("[SEP]") == true)
        }
    }
}
