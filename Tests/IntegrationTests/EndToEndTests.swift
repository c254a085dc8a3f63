// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import Testing

@Suite struct EndToEndTests {
    @Test func `a paraphrase gets the stored answer from another process`() async throws {
        let service = try await RunningService()
        let stored = try await service.semcache("store", "How do I reset my password?", "Open Settings, then Security.")
        #expect(stored.status == 0, "\(stored.errors)")

        let found = try await service.semcache("lookup", "--json", "I forgot my password, how can I reset it?")
        #expect(found.status == 0, "\(found.errors)")
        let answer = try #require(JSONSerialization.jsonObject(with: Data(found.output.utf8)) as? [String: Any])
        #expect(answer["outcome"] as? String == "hit_semantic")
        let match = try #require((answer["matches"] as? [[String: Any]])?.first)
        #expect(match["response"] as? String == "Open Settings, then Security.")
        let similarity = try #require(match["similarity"] as? Double)
        #expect(similarity > 0.9 && similarity < 0.97)
    }

    @Test func `exit codes tell hit, miss and error apart`() async throws {
        let service = try await RunningService()
        _ = try await service.semcache("store", "How do I reset my password?", "So.")
        #expect(try await service.semcache("lookup", "How do I reset my password?").status == 0)
        #expect(try await service.semcache("lookup", "Who wrote the Moonlight Sonata?").status == 1)
        #expect(try await service.semcache("lookup", " ").status == 2)
        #expect(try await service.semcache("lookup").status == 2)
        #expect(try await Programs.run("semcache", ["lookup", "x", "--server", "127.0.0.1:1"]).status == 2)
    }

    @Test(arguments: [SIGTERM, SIGKILL])
    func `what was acknowledged survives the end of the process`(signal: Int32) async throws {
        let service = try await RunningService()
        let stored = try await service.semcache("store", "How do I reset my password?", "Open Settings.")
        #expect(stored.status == 0, "\(stored.errors)")
        let status = await service.stop(signal)
        #expect(status == (signal == SIGTERM ? 0 : -SIGKILL))

        let again = try await service.restarted()
        let exact = try await again.semcache("lookup", "How do I reset my password?")
        #expect(exact.status == 0)
        #expect(exact.output.contains("Open Settings."))
        let paraphrase = try await again.semcache("lookup", "I forgot my password, how can I reset it?")
        #expect(paraphrase.output.contains("Open Settings."))
    }

    @Test func `every acknowledged store survives kill -9 in the middle of many`() async throws {
        let service = try await RunningService()
        let client = CacheClient(ClientConfiguration(ServerAddress(host: "127.0.0.1", port: service.port)))
        let acknowledged = await withTaskGroup(of: Int?.self) { group in
            for number in 0..<400 {
                group.addTask {
                    let vector = (0..<384).map { Float(($0 * 31 + number * 17) % 101) - 50 }
                    let receipt = try? await client.store(
                        "answer \(number)", for: "question \(number)", in: "many", embedding: vector)
                    return receipt == nil ? nil : number
                }
            }
            var acknowledged: [Int] = []
            for await number in group {
                if let number { acknowledged.append(number) }
                if acknowledged.count == 100 { _ = await service.stop(SIGKILL) }
            }
            return acknowledged
        }
        await client.close()
        #expect(acknowledged.count >= 100)

        let again = try await service.restarted()
        let reader = CacheClient(ClientConfiguration(ServerAddress(host: "127.0.0.1", port: again.port)))
        for number in acknowledged {
            let answer = try await reader.lookup("question \(number)", in: "many", mode: .exact)
            #expect(answer.hit?.best.text == "answer \(number)")
        }
        await reader.close()
    }

    @Test func `what was invalidated stays away, in memory and after a restart`() async throws {
        let service = try await RunningService()
        _ = try await service.semcache("store", "How do I reset my password?", "Old.")
        for _ in 0..<2 { #expect(try await service.semcache("lookup", "How do I reset my password?").status == 0) }
        let dry = try await service.semcache("invalidate", "--prompt", "How do I reset my password?", "--dry-run")
        #expect(dry.status == 0, "\(dry.errors)")
        #expect(try await service.semcache("lookup", "How do I reset my password?").status == 0)
        let removed = try await service.semcache(
            "invalidate", "--similar", "I forgot my password, how can I reset it?", "--similarity", "0.85")
        #expect(removed.status == 0, "\(removed.errors)")
        #expect(try await service.semcache("lookup", "How do I reset my password?").status == 1)
        _ = await service.stop(SIGKILL)
        let again = try await service.restarted()
        #expect(try await again.semcache("lookup", "How do I reset my password?").status == 1)
    }

    @Test func `an import reports bad lines by number and stores the others`() async throws {
        let service = try await RunningService()
        let lines = [
            #"{"prompt": "Which planets have rings?", "response": "Four of them.", "attributes": {"tags": ["space"]}}"#,
            #"{"prompt": "", "response": "Nothing."}"#,
            "secret garbage",
            #"{"prompt": "How far is the moon?", "response": "384,400 km.", "ttl_seconds": 3600}"#,
        ]
        let imported = try await service.semcache("import", "-", input: lines.joined(separator: "\n"))
        #expect(imported.status == 2)
        #expect(imported.errors.contains("line 2") && imported.errors.contains("line 3"))
        #expect(!imported.errors.contains("secret"))
        #expect(try await service.semcache("lookup", "How far is the moon?").output.contains("384,400 km."))
    }
}
