// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// The first message of a connection.
package struct Hello: Sendable, Equatable {
    package var minimumVersion: UInt32
    package var maximumVersion: UInt32
    package var clientName: String
    package var credential: Credential

    package init(
        minimumVersion: UInt32, maximumVersion: UInt32, clientName: String, credential: Credential = .none
    ) {
        self.minimumVersion = minimumVersion
        self.maximumVersion = maximumVersion
        self.clientName = clientName
        self.credential = credential
    }
}

/// The server's answer to a ``Hello``: the version that both speak, and the server's limits.
package struct Welcome: Sendable, Equatable {
    package var version: UInt32
    package var serverVersion: String
    package var maximumFrameBytes: UInt32
    package var maximumCallsInFlight: UInt32
    package var maximumPromptBytes: UInt32
    package var maximumResponseBytes: UInt32
    package var embeddingDimensions: UInt32

    package init(
        version: UInt32, serverVersion: String, maximumCallsInFlight: Int = Limits.maximumCallsInFlight,
        embeddingDimensions: UInt32
    ) {
        self.version = version
        self.serverVersion = serverVersion
        self.maximumFrameBytes = UInt32(Limits.maximumFrameBytes)
        self.maximumCallsInFlight = UInt32(clamping: maximumCallsInFlight)
        self.maximumPromptBytes = UInt32(Limits.maximumPromptBytes)
        self.maximumResponseBytes = UInt32(Limits.maximumResponseBytes)
        self.embeddingDimensions = embeddingDimensions
    }
}

/// A request under the id by which its reply is known.
package struct Call: Sendable, Equatable {
    package var id: UInt64
    /// `nil` for the server's default.
    package var deadline: Duration?
    /// W3C trace context, or empty.
    package var traceparent: String
    /// For which tenant a gateway calls; `nil` for the credential's own.
    package var tenant: String?
    /// What is wrong with it, if it cannot be served: the fault is the call's, not the connection's.
    package var request: Result<ServiceRequest, CacheError>

    package init(
        id: UInt64, deadline: Duration? = nil, traceparent: String = "", tenant: String? = nil,
        request: Result<ServiceRequest, CacheError>
    ) {
        self.id = id
        self.deadline = deadline
        self.traceparent = traceparent
        self.tenant = tenant
        self.request = request
    }
}

/// What a client sends.
package enum ClientMessage: Sendable, Equatable {
    case hello(Hello)
    case call(Call)
    case cancel(id: UInt64)
}

/// The answer to a call; id 0 for a fault of the connection.
package struct Reply: Sendable, Equatable {
    package var id: UInt64
    package var result: Result<ServiceResponse, CacheError>

    package init(id: UInt64, result: Result<ServiceResponse, CacheError>) {
        self.id = id
        self.result = result
    }
}

/// What a server sends.
package enum ServerMessage: Sendable, Equatable {
    case welcome(Welcome)
    case reply(Reply)
    case goAway(reason: String)
}
