// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension HTTPEmbedder.Configuration {
    /// Looks at what can be told without a file, a variable or the network.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field.
    package func validate() throws(CacheError) {
        try Self.check("model", isValue: self.model)
        try Self.check("revision", isValue: self.revision)
        try Self.check("expected_model", isValue: self.expectedModel)
        try Self.check("organization", isValue: self.organization)
        try Self.check("project", isValue: self.project)
        try self.validateAccess()
        try self.validateAzure()
        try self.validateNumbers()
    }

    private func validateAzure() throws(CacheError) {
        guard self.provider == .azureOpenAI else {
            guard self.azure == nil else { throw .invalidArgument("azure", "is of the provider azure-openai alone") }
            if self.provider == .openAI, self.credential == .none {
                throw .invalidArgument("credential", "is missing")
            }
            return
        }
        guard let azure = self.azure else { throw .invalidArgument("deployment", "is missing") }
        try Self.check("deployment", isValue: azure.deployment)
        try Self.check("api_version", isValue: azure.apiVersion)
        if self.credential == .none { throw .invalidArgument("credential", "is missing") }
    }

    private func validateNumbers() throws(CacheError) {
        try Self.check("dimensions", self.dimensions, in: Limits.providerDimensions)
        try Self.check("batch_limit", self.batchLimit, in: 1...Limits.embeddingBatch)
        try Self.check("attempts", self.attempts, in: Limits.providerAttempts)
        try Self.check("maximum_text_bytes", self.maximumTextBytes, in: 1...Limits.maximumPromptBytes)
        guard (0...1).contains(self.retryRatio) else { throw .invalidArgument("retry_ratio", "is not 0 to 1") }
        if let canaryInterval { try Self.check("canary_interval", canaryInterval, in: Limits.canaryInterval) }
        if let hedgeAfter {
            guard hedgeAfter > .zero, hedgeAfter < self.requestTimeout else {
                throw .invalidArgument("hedge_after", "is not between 0 and the time of a request")
            }
        }
    }
}
