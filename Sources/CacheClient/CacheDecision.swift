// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// What refused a stored answer by the words of the two questions alone.
public enum CacheGuard: String, Sendable, Hashable, CaseIterable {
    /// Each question has a number that the other lacks.
    case number
    /// The same number in different units.
    case unit
    /// One denies what the other asks.
    case negation
    /// A word and its opposite.
    case antonym
    /// To and from, before and after, on and off.
    case direction
    /// All but one word that carries the meaning agree.
    case wordSwap = "word_swap"
    /// The same words in other roles.
    case roles
    /// Who, when, where, how many.
    case questionType = "question_type"
}

/// How the cache decided on a stored answer that was found by meaning.
public struct CacheDecision: Sendable, Hashable {
    /// A kind of decision policy.
    public enum Policy: String, Sendable, Hashable {
        /// A least similarity, with the guards. Also a calibrated policy that is still learning.
        case threshold
        /// An estimate of the risk, learnt from the cache's own labels.
        case calibrated
    }

    /// Which kind of policy decided.
    public let policy: Policy
    /// Estimated probability that the answer is wrong, 0…1; `nil` without an estimate.
    public let risk: Float?
    /// Up to which risk was served, 0…1; `nil` without one.
    public let riskLimit: Float?
}

/// Names a lookup that was answered by meaning, for feedback on its answer.
public struct CacheLookupID: Sendable, Hashable {
    let id: LookupID

    /// Opaque; at most 512 of them. Nothing of the prompt can be read in them.
    public var bytes: [UInt8] { self.id.bytes }

    init(_ id: LookupID) { self.id = id }

    /// Makes an id of what another process was given.
    ///
    /// - Returns: `nil` for bytes that cannot be one.
    public init?(bytes: [UInt8]) {
        guard (1...Limits.maximumLookupIDBytes).contains(bytes.count) else { return nil }
        self.id = LookupID(bytes: bytes)
    }
}

/// What a lookup asked, kept with its answer for the feedback on it.
struct AskedQuestion: Sendable, Hashable {
    let cache: String
    let prompt: Prompt
    let vary: [VaryPart]
    let embedding: [Float]?

    init(_ request: LookupRequest) {
        self.cache = request.cache
        self.prompt = request.prompt
        self.vary = request.vary
        self.embedding = request.embedding
    }
}

extension AskedQuestion: CustomStringConvertible, CustomReflectable {
    /// Without the prompt: what is printed ends up in logs.
    var description: String { "a question to \(self.cache)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension CacheGuard {
    init(_ name: Guard) {
        switch name {
        case .number: self = .number
        case .unit: self = .unit
        case .negation: self = .negation
        case .antonym: self = .antonym
        case .direction: self = .direction
        case .wordSwap: self = .wordSwap
        case .roles: self = .roles
        case .questionType: self = .questionType
        }
    }
}

extension CacheDecision {
    init(_ decision: DecisionExplanation) {
        switch decision.kind {
        case .threshold: self.policy = .threshold
        case .calibrated: self.policy = .calibrated
        }
        self.risk = decision.risk
        self.riskLimit = decision.riskLimit
    }
}
