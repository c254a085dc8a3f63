// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel

extension HTTPJudge {
    /// Which server, which model of it, when it is asked, and how patiently.
    package struct Configuration: ProviderAccess, Hashable {
        package var name: String
        /// With or without `/v1`, or with the whole path `…/chat/completions`.
        package var baseURL: String
        /// As the server knows it.
        package var model: String
        package var band = JudgeBand()
        package var credential = CredentialSource.none
        package var allowsPlaintextCredential = false
        /// Opinions that are asked for at the same time, without those that wait for the same one.
        package var concurrency = 8
        package var requestTimeout = Duration.seconds(2)
        package var connectTimeout = Duration.seconds(1)
        package var breakerFailures = 5
        package var breakerOpen = Duration.seconds(5)
        package var proxy: HTTPEmbedder.Configuration.Proxy?
        package var tls = HTTPEmbedder.Configuration.TLS()

        package init(name: String, baseURL: String, model: String) {
            self.name = name
            self.baseURL = baseURL
            self.model = model
        }

        package var connections: Int { self.concurrency }

        /// Looks at what can be told without a file, a variable or the network.
        ///
        /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field.
        package func validate() throws(CacheError) {
            try self.validateAccess()
            try Self.check("model", isValue: self.model)
            try Self.check("sure_from", self.band.sureFrom, in: -1...1)
            try Self.check("risk_up_to", self.band.riskUpTo, in: 0...1)
        }
    }
}
