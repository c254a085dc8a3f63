// SPDX-License-Identifier: Apache-2.0

import CKernels
import CacheModel
import Foundation
import Testing

@testable import LocalEmbedder

@Suite struct InstructionSetTests {
    @Test func `without a name the best path is taken`() throws {
        #expect(try InstructionSet.path(named: nil) == ck_isa_best())
    }

    @Test(arguments: InstructionSet.supported)
    func `a path is found by its name`(name: String) throws {
        #expect(InstructionSet.name(of: try InstructionSet.path(named: name)) == name)
    }

    @Test func `portable code is a path of every machine`() {
        #expect(InstructionSet.supported.first == "scalar")
    }

    #if arch(arm64)
    static let lacking = "avx2"
    #else
    static let lacking = "neon"
    #endif

    @Test(arguments: ["", "AVX2", "avx2 ", "sse", "best", "avx1024", "scalar\0", lacking])
    func `a name that is unknown or of another machine is refused, and told what there is`(name: String) {
        let error = #expect(throws: ModelError.self) { try InstructionSet.path(named: name) }
        #expect(error?.code == .unsupported)
        for name in InstructionSet.supported { #expect(error?.message.contains(name) == true) }
    }

    @Test func `an embedder takes the path that it is told, and refuses another before it loads the model`() throws {
        let folder = try #require(
            ProcessInfo.processInfo.environment["SEMCACHED_TEST_MODEL"],
            "set SEMCACHED_TEST_MODEL to the folder that deploy/model prints")
        let files = try ModelFiles(folder: folder)
        let embedder = try LocalEmbedder(files: files, precision: .int16, threads: 1, instructionSet: "scalar")
        #expect(embedder.instructionSet == "scalar")
        let error = #expect(throws: ModelError.self) {
            try LocalEmbedder(files: files, precision: .int16, threads: 1, instructionSet: "fast")
        }
        #expect(error?.code == .unsupported)
    }

    @Test func `only int8 has an identity of its own`() throws {
        let folder = try #require(
            ProcessInfo.processInfo.environment["SEMCACHED_TEST_MODEL"],
            "set SEMCACHED_TEST_MODEL to the folder that deploy/model prints")
        let files = try ModelFiles(folder: folder)
        let identities = try MiniLMEncoder.Precision.allCases.map {
            try LocalEmbedder(files: files, precision: $0, threads: 1, instructionSet: nil).identity.revision
        }
        // The first two must stay what they are: data is stored under them.
        #expect(identities == [files.revision, files.revision, files.revision + "-int8"])
    }
}
