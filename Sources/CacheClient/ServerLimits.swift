// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire

/// What a server said in its `Welcome` that it accepts.
struct ServerLimits: Sendable, Hashable {
    let maximumFrameBytes: Int
    /// At least 1.
    let maximumCallsInFlight: Int
    let maximumPromptBytes: Int
    let maximumResponseBytes: Int

    /// - Throws: ``CacheClientError`` if a server with these limits could serve nothing.
    init(_ welcome: Welcome) throws(CacheClientError) {
        guard welcome.maximumFrameBytes > 0, welcome.maximumCallsInFlight > 0, welcome.maximumPromptBytes > 0,
            welcome.maximumResponseBytes > 0
        else { throw .malformed("it states a limit of 0") }
        self.maximumFrameBytes = min(Int(welcome.maximumFrameBytes), Limits.maximumFrameBytes)
        self.maximumCallsInFlight = Int(welcome.maximumCallsInFlight)
        self.maximumPromptBytes = Int(welcome.maximumPromptBytes)
        self.maximumResponseBytes = Int(welcome.maximumResponseBytes)
    }

    /// Says why a request would be refused; `nil` if no limit is in its way.
    func fault(of request: ServiceRequest) -> CacheClientError? {
        switch request {
        case .lookup(let lookup):
            return self.fault(ofPrompt: lookup.prompt)
        case .store(let store):
            guard store.response.count <= self.maximumResponseBytes else {
                let limit = self.maximumResponseBytes
                return CacheClientError(.tooLong("response", store.response.count, limit: limit), origin: .client)
            }
            return self.fault(ofPrompt: store.prompt)
        case .invalidate(let invalidate):
            switch invalidate.selector {
            case .exactPrompt(let prompt, _), .semanticRadius(let prompt, _, _, _):
                return self.fault(ofPrompt: prompt)
            case .ids, .filter, .tags, .wholeCache, .wholeTenant:
                return nil
            }
        case .embed(let embed):
            for text in embed.texts {
                if let fault = self.fault(ofPrompt: .text(text), field: "texts") { return fault }
            }
            return nil
        case .feedback(let feedback):
            guard case .prompt(let prompt, _, _) = feedback.question else { return nil }
            return self.fault(ofPrompt: prompt)
        case .stats, .export, .labels, .lease, .ping:
            return nil
        }
    }

    /// Of a chat the server's policy decides what the prompt is.
    private func fault(ofPrompt prompt: Prompt, field: StaticString = "prompt") -> CacheClientError? {
        guard case .text(let text) = prompt else { return nil }
        let count = text.text.utf8.count
        guard count > self.maximumPromptBytes else { return nil }
        return CacheClientError(.tooLong(field, count, limit: self.maximumPromptBytes), origin: .client)
    }
}
