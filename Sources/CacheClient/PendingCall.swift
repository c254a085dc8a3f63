// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import NIOCore

/// A call on its way through the state machines.
///
/// - Parameter Context: What is needed to send the call and to answer who made it; the machines do not look into it.
struct PendingCall<Context> {
    /// Unique among the calls of a client, not 0; the id on the wire.
    let id: UInt64
    let method: ServiceMethod
    /// Absolute from the moment the caller asked.
    let deadline: NIODeadline
    /// Connections that the call was sent on.
    var attempts = 0
    /// Whether it may be carried out twice.
    let isRepeatable: Bool
    let context: Context

    init(
        id: UInt64, method: ServiceMethod, deadline: NIODeadline, isRepeatable: Bool = true, context: Context
    ) {
        self.id = id
        self.isRepeatable = isRepeatable
        self.method = method
        self.deadline = deadline
        self.context = context
    }
}

extension PendingCall: Sendable where Context: Sendable {}

/// Why a connection ended.
struct ConnectionFault: Error, Hashable {
    let error: CacheClientError
    /// Whether the connection was lost, so that its calls may be made again on another; else the peer is at fault, and
    /// would be again.
    let isLoss: Bool
    /// Whether the server said that it stops, so that another one, or itself, will soon be there instead.
    var isHandover = false

    static func lost(_ error: CacheClientError) -> Self { Self(error: error, isLoss: true) }
    static let stopping = Self(error: .stopping, isLoss: true, isHandover: true)
    static func refused(_ error: CacheClientError) -> Self { Self(error: error, isLoss: false) }
}
