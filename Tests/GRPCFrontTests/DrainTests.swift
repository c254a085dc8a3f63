// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import GRPCFront

@Suite(.timeLimit(.minutes(1))) struct DrainTests {
    @Test func `a call that is opened before its peer can know of the server's end is answered`() async throws {
        try await TestFront.run(endsGracefully: true, goAwayNotice: .seconds(3)) { front in
            try await front.withFramePeer { peer in
                // One that is answered, so that the server has read all that the peer began with.
                try await peer.call(FramePeer.ping, stream: 1)
                #expect(try await peer.next(0)?.stream == 1)
                await front.beginShutdown()
                let goAway = try #require(await peer.next(7))
                #expect(Array(goAway.payload.readableBytesView) == [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])
                try await peer.call(FramePeer.ping, stream: 3)
                #expect(try await peer.next(0)?.stream == 3)
                // Until the server closes.
                while try await peer.next(7) != nil {}
            }
        }
    }
}
