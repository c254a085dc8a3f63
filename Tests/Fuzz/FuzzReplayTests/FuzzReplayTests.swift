// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import FuzzProperties
import Testing

/// The corpus and every input that once failed, without the fuzzer: one that fails ends the test run.
@Suite struct FuzzReplayTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    private static func files(_ property: FuzzProperty, _ kind: String) throws -> [URL] {
        let folder = Self.folder.appending(path: kind).appending(path: property.rawValue)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { !$0.hasPrefix(".") }.map { folder.appending(path: $0) }
    }

    @Test(arguments: FuzzProperty.allCases, ["Corpus", "FailCases"])
    func `every input that was kept is survived`(property: FuzzProperty, kind: String) throws {
        let files = try Self.files(property, kind)
        if kind == "Corpus" { #expect(files.count >= 20) }
        for file in files {
            let bytes = [UInt8](try Data(contentsOf: file))
            bytes.withUnsafeBytes { property.check($0) }
        }
    }
}
