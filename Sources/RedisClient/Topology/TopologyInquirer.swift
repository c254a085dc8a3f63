// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Asks sentinels or servers of a cluster who the primaries are.
struct TopologyInquirer {
    private let topology: RedisTopology
    private let deployment: RedisConfiguration.Deployment
    /// The one that answered last comes first.
    private var sentinels: [RedisNode] = []

    init(_ configuration: RedisConfiguration, _ topology: RedisTopology) {
        self.topology = topology
        self.deployment = configuration.deployment
        if case .sentinel(let addresses, _) = self.deployment {
            self.sentinels = addresses.map { topology.makeNode($0, isSentinel: true) }
        }
    }

    /// - Throws: Why nobody could say it: the reason of the first one that could be reached, else `.unreachable`.
    mutating func inquire() async throws(RedisError) -> (primaries: [RedisAddress], slots: SlotMap?) {
        switch self.deployment {
        case .standalone(let address):
            return ([address], nil)
        case .sentinel(_, let service):
            return ([try await self.primary(of: service)], nil)
        case .cluster(let seeds):
            let slots = try await self.slots(seeds)
            return (slots.primaries, slots)
        }
    }

    func close() async {
        for sentinel in self.sentinels { await sentinel.close() }
    }

    private mutating func primary(of service: String) async throws(RedisError) -> RedisAddress {
        var command = RedisCommand("SENTINEL", isRepeatable: true)
        command.append("GET-MASTER-ADDR-BY-NAME")
        command.append(service)
        var fault = RedisError(.unreachable, "no sentinel can be reached")
        for (place, sentinel) in self.sentinels.enumerated() {
            do throws(RedisError) {
                let reply = try await Self.reply(to: command, of: sentinel, called: "sentinel")
                guard let address = try SentinelReply.primary(reply, from: sentinel.address) else {
                    throw RedisError(.misconfigured, "the sentinels do not know the service that the URL names")
                }
                try await self.check(address)
                self.sentinels.swapAt(0, place)
                return address
            } catch {
                if fault.code == .unreachable { fault = error }
            }
        }
        throw fault
    }

    /// A sentinel may be behind: the server itself must say that it is the primary.
    private func check(_ address: RedisAddress) async throws(RedisError) {
        let command = RedisCommand("ROLE", isRepeatable: true)
        let server = self.topology.server(at: address)
        let reply = try await Self.reply(to: command, of: server.node, called: "primary that the sentinels name")
        guard SentinelReply.isPrimary(reply) else {
            throw RedisError(.unreachable, "the server that the sentinels name as the primary is none (yet)")
        }
    }

    private func slots(_ seeds: [RedisAddress]) async throws(RedisError) -> SlotMap {
        var command = RedisCommand("CLUSTER", isRepeatable: true)
        command.append("SLOTS")
        var fault = RedisError(.unreachable, "no server of the cluster can be reached")
        for address in self.topology.clusterMembers(seeds).prefix(RedisLimits.membersPerInquiry) {
            do throws(RedisError) {
                let server = self.topology.server(at: address)
                let reply = try await Self.reply(to: command, of: server.node, called: "server of the cluster")
                return try SlotMap(reply, from: address)
            } catch {
                if fault.code == .unreachable { fault = error }
            }
        }
        throw fault
    }

    private static func reply(
        to command: RedisCommand, of node: RedisNode, called name: String
    ) async throws(RedisError) -> RESPValue {
        do throws(RedisError) {
            return try await node.send(command, by: .now() + RedisLimits.inquiryTimeout)
        } catch {
            switch error.code {
            case .refused where error.reply?.text.contains("cluster support disabled") == true:
                throw RedisError(.misconfigured, "the server is in no cluster: the URL must begin with redis://")
            case .refused:
                throw RedisError(.refused, "a \(name) says: \(error.explained.message)", reply: error.reply)
            case .unreachable, .connectionLost, .timedOut, .overloaded:
                // Whatever became of the question: the command for which it was asked was not sent.
                throw RedisError(.unreachable, "no \(name) can be reached")
            case .misconfigured:
                throw RedisError(.misconfigured, "a \(name) cannot be used: \(error.message)")
            case .protocolViolation, .closed, .cancelled:
                throw error
            }
        }
    }
}
