// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel
import CacheWire
import Testing

@Suite(.timeLimit(.minutes(1)))
struct LabelsTests {
    @Test func `labelled decisions are read page by page`() async throws {
        try await ScriptedServer.withServer { server in
            let client = CacheClient(ClientConfiguration(server))
            async let answered = client.labels(of: "c", after: 7, pageSize: 2)
            let peer = try await server.welcomePeer()
            let received = try await peer.call()
            #expect(try received.request.get() == .labels(LabelsRequest(cache: "c", after: 7, pageSize: 2)))
            let decision = LabelledDecision(
                number: 8, similarity: 0.5, risk: 0.25, isRight: true, wouldServe: true, source: .audit,
                isGuarded: true)
            let page = LabelsPage(decisions: [decision], next: 8, last: 9)
            peer.send(.reply(Reply(id: received.id, result: .success(.labels(page)))))
            let told = try await answered
            #expect(
                told.decisions == [
                    CacheLabelledDecision(
                        number: 8, similarity: 0.5, risk: 0.25, isRight: true, wouldServe: true, source: .audit,
                        isGuarded: true)
                ])
            #expect(told.next == 8 && told.last == 9)
            await client.close()
        }
    }

    @Test(arguments: [0, 1025]) func `a page has 1 to 1,024 decisions`(size: Int) async {
        let client = CacheClient()
        let error = await #expect(throws: CacheClientError.self) { try await client.labels(pageSize: size) }
        #expect(error?.field == "page_size")
        await client.close()
    }
}
