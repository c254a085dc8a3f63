// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import OpenSSLTLS

@Suite struct StateMachineTests {
    /// One whose handshake is done.
    private static func open() -> TLSHandler.StateMachine {
        var state = TLSHandler.StateMachine()
        _ = state.start()
        _ = state.handshakeCompleted()
        return state
    }

    @Test func `a handshake begins once`() {
        var state = TLSHandler.StateMachine()
        let (first, second) = (state.start(), state.start())
        #expect(first && !second)
    }

    @Test func `what was flushed before the handshake is sent after it`() {
        for isConnected in [true, false] {
            var state = TLSHandler.StateMachine()
            if isConnected { _ = state.start() }
            let isSentNow = state.flush()
            if !isConnected { _ = state.start() }
            let isSentThen = state.handshakeCompleted()
            #expect(!isSentNow && isSentThen)
        }
    }

    @Test func `a handshake waits for its peer up to the limit of bytes`() {
        var state = TLSHandler.StateMachine()
        _ = state.start()
        _ = state.received(TLSLimits.maximumHandshakeBytes)
        let atLimit = state.handshakeNeedsInput(limit: TLSLimits.maximumHandshakeBytes)
        _ = state.received(1)
        let above = state.handshakeNeedsInput(limit: TLSLimits.maximumHandshakeBytes)
        #expect(atLimit == nil)
        #expect(above?.code == .limitExceeded)
    }

    @Test func `only the first end is reported`() {
        var state = Self.open()
        let (first, second) = (state.fail(), state.fail())
        #expect(first && !second)
    }

    @Test func `after the end everything is dropped or refused`() {
        var state = Self.open()
        _ = state.fail()
        let (received, written, flushed) = (state.received(1), state.write(keptBytes: 1), state.flush())
        let (closed, ended) = (state.close(.all), state.transportEnded(isServer: true))
        #expect(received == .drop)
        #expect(written == .refuse(.ioOnClosedChannel))
        #expect(!flushed)
        #expect(closed == .passOn)
        #expect(ended == nil)
    }

    @Test func `two halves make a whole, whichever is closed first`() {
        var first = Self.open()
        let output = first.close(.output)
        let again = first.close(.output)
        let input = first.peerClosed(mayGoOn: true)
        #expect(output == .flushAndCloseNotify(both: false))
        #expect(again == .refuse(.outputClosed))
        #expect(input == .close)
        var second = Self.open()
        let inputFirst = second.peerClosed(mayGoOn: true)
        let twice = second.peerClosed(mayGoOn: true)
        let outputThen = second.close(.output)
        #expect(inputFirst == .reportInputClosed)
        #expect(twice == .none)
        #expect(outputThen == .flushAndCloseNotify(both: true))
    }

    @Test func `where no direction goes on alone the peer's end is answered with the own`() {
        var state = Self.open()
        let action = state.peerClosed(mayGoOn: false)
        #expect(action == .close)
        let isOpen = state.isOpen
        #expect(!isOpen)
    }
}
