// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts the connections of a listener, and says which is one too many.
package final class ConnectionAdmission: Sendable {
    package enum Refusal: String, CaseIterable {
        case connections
        /// Too many have not said hello yet, of all or of one address.
        case strangers
        case strangersOfAddress = "strangers_of_address"
    }

    fileprivate struct Counts {
        var connections = 0
        var strangers = 0
        var strangersByAddress: [String: Int] = [:]
    }

    private let limits: ConnectionLimits
    private let counts = Mutex(Counts())

    package init(_ limits: ConnectionLimits) { self.limits = limits }

    /// Counts a connection until ``closed(from:isStranger:)``. One that is refused is no stranger: until it is closed it
    /// would take the place of somebody who came from elsewhere.
    ///
    /// - Parameter address: Of the peer, without its port; `nil` if it is not known.
    package func opened(from address: String?) -> Refusal? {
        self.counts.withLock { counts in
            counts.connections += 1
            let ofAddress = counts.strangersByAddress[address ?? "", default: 0]
            if counts.connections > self.limits.maximumConnections { return .connections }
            if ofAddress >= self.limits.maximumUnauthenticatedConnectionsPerAddress { return .strangersOfAddress }
            if counts.strangers >= self.limits.maximumUnauthenticatedConnections { return .strangers }
            counts.strangers += 1
            counts.strangersByAddress[address ?? ""] = ofAddress + 1
            return nil
        }
    }

    /// The peer was let in.
    package func helloReceived(from address: String?) {
        self.counts.withLock { $0.removeStranger(address) }
    }

    package func closed(from address: String?, isStranger: Bool) {
        self.counts.withLock { counts in
            counts.connections -= 1
            if isStranger { counts.removeStranger(address) }
        }
    }
}

extension ConnectionAdmission.Counts {
    fileprivate mutating func removeStranger(_ address: String?) {
        self.strangers -= 1
        let rest = self.strangersByAddress[address ?? "", default: 1] - 1
        self.strangersByAddress[address ?? ""] = rest > 0 ? rest : nil
    }
}
