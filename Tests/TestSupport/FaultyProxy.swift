// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

/// A TCP proxy that a test makes misbehave: what lies between two programs on one machine.
package final class FaultyProxy: Sendable {
    package enum Conduct: Sendable, Equatable {
        case passes
        /// What comes is passed on, in order, so much later.
        case delays(Duration)
        /// Takes connections and bytes and passes nothing on, not even that one side has closed; what has come is passed on
        /// when this ends.
        case hangs
        /// Closes what there is and whatever comes.
        case cuts
    }

    /// Where it listens, on 127.0.0.1.
    package let port: Int
    private let listener: any Channel
    private let board: NIOLoopBound<Switchboard>

    /// Starts one before a port of 127.0.0.1.
    package static func start(to target: Int) async throws -> FaultyProxy {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let board = try await loop.submit { NIOLoopBound(Switchboard(target: target), eventLoop: loop) }.get()
        let listener = try await ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try Switchboard.accept(channel, board) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FaultyProxy(port: listener.localAddress?.port ?? 0, listener, board)
    }

    private init(port: Int, _ listener: any Channel, _ board: NIOLoopBound<Switchboard>) {
        self.port = port
        self.listener = listener
        self.board = board
    }

    deinit {
        let board = self.board
        self.listener.close(promise: nil)
        self.listener.eventLoop.execute { board.value.set(.cuts) }
    }

    /// Holds for what there is and what comes, when it returns.
    package func set(_ conduct: Conduct) async throws {
        let board = self.board
        try await self.listener.eventLoop.submit { board.value.set(conduct) }.get()
    }
}

/// The connections of a proxy; used on its event loop only.
private final class Switchboard {
    /// Bytes, or the end.
    private enum Piece {
        case bytes(ByteBuffer)
        case end
    }

    /// One way of a connection.
    private struct Way {
        /// Where it leads; `nil` until that is connected.
        var outlet: (any Channel)?
        /// Not passed on yet, with the time at which it is due.
        var pieces: [(due: NIODeadline, piece: Piece)] = []
    }

    private struct Link {
        let near: any Channel
        /// From the one who connected, and back to it.
        var ways: (Way, Way)
    }

    private let target: Int
    private var conduct = FaultyProxy.Conduct.passes
    private var links: [Int: Link] = [:]
    private var lastLink = 0

    init(target: Int) { self.target = target }

    func set(_ conduct: FaultyProxy.Conduct) {
        self.conduct = conduct
        for id in self.links.keys {
            if conduct == .cuts { self.close(id) } else { self.pumpBoth(id) }
        }
    }

    static func accept(_ near: any Channel, _ board: NIOLoopBound<Switchboard>) throws {
        let this = board.value
        guard this.conduct != .cuts else { return near.close(promise: nil) }
        this.lastLink += 1
        let id = this.lastLink
        this.links[id] = Link(near: near, ways: (Way(), Way(outlet: near)))
        try near.pipeline.syncOperations.addHandler(Inlet(board, id, isNear: true))
        ClientBootstrap(group: near.eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { far in
                far.eventLoop.makeCompletedFuture {
                    try far.pipeline.syncOperations.addHandler(Inlet(board, id, isNear: false))
                }
            }
            .connect(host: "127.0.0.1", port: this.target)
            .whenComplete { result in board.value.connected(id, try? result.get()) }
    }

    private func connected(_ id: Int, _ far: (any Channel)?) {
        guard let far, self.links[id] != nil else {
            far?.close(promise: nil)
            return self.close(id)
        }
        self.links[id]?.ways.0.outlet = far
        self.pumpBoth(id)
    }

    fileprivate func received(_ bytes: ByteBuffer?, on id: Int, fromNear: Bool, at now: NIODeadline) {
        let delay: TimeAmount = if case .delays(let delay) = self.conduct { TimeAmount(delay) } else { .zero }
        let piece = (now + delay, bytes.map { Piece.bytes($0) } ?? .end)
        if fromNear { self.links[id]?.ways.0.pieces.append(piece) } else { self.links[id]?.ways.1.pieces.append(piece) }
        self.pumpBoth(id)
    }

    private func pumpBoth(_ id: Int) {
        self.pump(id, \.ways.0)
        self.pump(id, \.ways.1)
    }

    /// Passes on what is due.
    private func pump(_ id: Int, _ path: WritableKeyPath<Link, Way>) {
        guard self.conduct != .hangs, let way = self.links[id]?[keyPath: path], let outlet = way.outlet else { return }
        let isDelaying = if case .delays = self.conduct { true } else { false }
        let now = NIODeadline.now()
        let count = isDelaying ? way.pieces.prefix { $0.due <= now }.count : way.pieces.count
        self.links[id]?[keyPath: path].pieces.removeFirst(count)
        for (_, piece) in way.pieces.prefix(count) {
            guard case .bytes(let bytes) = piece else { return self.close(id) }
            outlet.writeAndFlush(bytes, promise: nil)
        }
    }

    fileprivate func delay() -> TimeAmount? {
        if case .delays(let delay) = self.conduct { TimeAmount(delay) } else { nil }
    }

    fileprivate func wake(_ id: Int) { self.pumpBoth(id) }

    private func close(_ id: Int) {
        guard let link = self.links.removeValue(forKey: id) else { return }
        link.near.close(promise: nil)
        link.ways.0.outlet?.close(promise: nil)
    }
}

/// Hands a connection's bytes to the switchboard.
private final class Inlet: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let board: NIOLoopBound<Switchboard>
    private let link: Int
    private let isNear: Bool

    init(_ board: NIOLoopBound<Switchboard>, _ link: Int, isNear: Bool) {
        self.board = board
        self.link = link
        self.isNear = isNear
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.pass(self.unwrapInboundIn(data), context)
    }

    func channelInactive(context: ChannelHandlerContext) { self.pass(nil, context) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func pass(_ bytes: ByteBuffer?, _ context: ChannelHandlerContext) {
        let (board, link) = (self.board, self.link)
        board.value.received(bytes, on: link, fromNear: self.isNear, at: .now())
        guard let delay = board.value.delay() else { return }
        context.eventLoop.scheduleTask(in: delay) { board.value.wake(link) }
    }
}
