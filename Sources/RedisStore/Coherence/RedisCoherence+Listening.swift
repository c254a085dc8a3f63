// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import NIOCore
import RedisClient
import Synchronization

extension RedisCoherence {
    /// What the server sends unasked, on the listener's event loop.
    func heard(_ push: [RESPValue], at address: RedisAddress) {
        guard push.count >= 3, case .bytes(let kind) = push[0], case .bytes(let name) = push[1] else { return }
        let channel = Array(name.readableBytesView)
        guard let (holding, shard) = self.state.withLock({ $0.channels[channel] }) else { return }
        let isChanges = channel == shard.keys.changes
        switch (String(buffer: kind), push[2]) {
        case ("smessage", .bytes(let payload)) where isChanges:
            self.heard(ChangeMessage(payload.readableBytesView), of: holding, shard, at: address)
        case ("smessage", .bytes(let payload)):
            if let acknowledgement = Acknowledgement(payload.readableBytesView) {
                self.acknowledgements.heard(acknowledgement)
            }
        case ("ssubscribe", _) where isChanges:
            self.state.withLock { state in
                shard.subscription = Subscription(address: address, generation: state.generations[address] ?? 0)
            }
        case ("sunsubscribe", _):
            self.state.withLock { _ in
                guard shard.subscription?.address == address else { return }
                shard.subscription = nil
                holding.lease.end()
            }
        default:
            break
        }
    }

    private func heard(_ message: ChangeMessage?, of holding: Holding, _ shard: Shard, at address: RedisAddress) {
        let observer = self.observer
        guard let message else {
            // Of a newer version: what it says is not known, but that something has changed is.
            observer?.heard(.missed, of: holding.tenant)
            return
        }
        // What this one has told, too: others answer by it already.
        observer?.heard(message.news, of: holding.tenant)
        guard message.sender != self.replica else { return }
        guard message.change != .none, let listener = self.state.withLock({ $0.listeners[address] }) else { return }
        var command = RedisCommand("SPUBLISH", isRepeatable: true)
        command.append(shard.keys.acknowledgements(of: message.sender))
        command.append(Acknowledgement(message.change, by: self.replica).encoded())
        listener.node.post(command, by: .now() + .seconds(1))
    }
}
