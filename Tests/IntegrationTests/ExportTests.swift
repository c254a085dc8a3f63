// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@Suite struct ExportTests {
    @Test func `an export is what an import brings back, in another service`() async throws {
        let service = try await RunningService()
        let lines = [
            #"{"prompt": "How far is the moon?", "response": "384,400 km.", "attributes": {"tags": ["space"], "n": 1}}"#,
            #"{"prompt": "How far is the moon?", "response": "Weit.", "vary": {"lang": "de"}, "ttl_seconds": 3600}"#,
            #"{"prompt": "Which planets have rings?", "response_base64": "/wA=", "content_type": "x/y"}"#,
        ]
        let imported = try await service.semcache("import", "-", input: lines.joined(separator: "\n"))
        #expect(imported.status == 0, "\(imported.errors)")
        let file = service.folder.appendingPathComponent("export.ndjson").path
        let exported = try await service.semcache("export", "--output", file)
        #expect(exported.status == 0 && exported.errors.contains("exported 3 entries"), "\(exported.errors)")
        // It is not overwritten.
        #expect(try await service.semcache("export", "--output", file).status == 2)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(try await service.semcache("export").output == text)
        let filtered = try await service.semcache("export", "--filter", #"tags contains "space""#)
        #expect(filtered.output.split(separator: "\n").count == 1 && filtered.output.contains("384,400"))

        let other = try await RunningService()
        let again = try await other.semcache("import", file)
        #expect(again.status == 0, "\(again.errors)")
        let german = try await other.semcache("lookup", "How far is the moon?", "--vary", "lang=de")
        #expect(german.output.contains("Weit."))
        let plain = try await other.semcache("lookup", "How far is the moon?")
        #expect(plain.output.contains("384,400 km."))
        // The ids are made of the tenant, the cache, the model, the vary parts and the prompt: all the same.
        let ids = { (text: String) in
            Set(text.matches(of: /"entry_id":"([0-9a-f]{32})"/).map { String($0.output.1) })
        }
        let back = try await other.semcache("export").output
        #expect(ids(back) == ids(text) && ids(text).count == 3)
    }
}
