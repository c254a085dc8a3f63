// SPDX-License-Identifier: Apache-2.0

/// What a model does, and what must hold wherever it can get.
protocol TransitionSystem {
    associatedtype State: Hashable
    associatedtype Step

    var initial: State { get }

    /// Tells of every step that can be taken in a state, and where it leads.
    func forEachStep(from state: State, _ visit: (Step, State) -> Void)

    /// What is wrong with a state; `nil` if nothing is.
    func fault(in state: State) -> String?
}

/// The result of looking at every state that a model can get to.
enum Exploration<Step> {
    case holds(states: Int)
    /// One of the shortest ways to a state that must not be.
    case broken(fault: String, steps: [Step], states: Int)
    /// There are more states than was allowed.
    case unfinished(states: Int)
}

extension TransitionSystem {
    /// Looks at all states, those that are fewest steps away first.
    ///
    /// - Parameter limit: Of states.
    func explore(limit: Int) -> Exploration<Step> {
        if let fault = self.fault(in: self.initial) { return .broken(fault: fault, steps: [], states: 1) }
        var states = [self.initial]
        var seen: Set = [self.initial]
        var cameFrom: [(state: Int, step: Step)?] = [nil]
        var broken: String?
        var position = 0
        while position < states.count, states.count <= limit, broken == nil {
            self.forEachStep(from: states[position]) { step, next in
                guard broken == nil, seen.insert(next).inserted else { return }
                states.append(next)
                cameFrom.append((position, step))
                broken = self.fault(in: next)
            }
            position += 1
        }
        if let broken {
            var steps: [Step] = []
            var last = states.count - 1
            while let (state, step) = cameFrom[last] {
                steps.append(step)
                last = state
            }
            return .broken(fault: broken, steps: steps.reversed(), states: states.count)
        }
        return position < states.count ? .unfinished(states: states.count) : .holds(states: states.count)
    }
}
