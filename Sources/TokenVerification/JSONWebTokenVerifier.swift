// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import Logging
import SystemPackage

/// Tells whether a JSON Web Token is genuine and in force, and whose it is.
///
/// The algorithm of a signature is the key's, and the configuration must allow it; what the token says of it only has
/// to agree.
package final class JSONWebTokenVerifier: TokenVerifier, Sendable {
    private let configuration: TokenConfiguration
    /// Those of a secret or a file.
    private let keys: [VerificationKey]
    package let identity: Digest
    private let remoteKeys: RemoteKeys?

    /// Reads a file of keys; those behind a URL are fetched when a token needs them.
    ///
    /// - Parameters:
    ///   - previous: What this one takes the place of. The keys of the same URL go on being in force if they cannot be
    ///     fetched again.
    ///   - fetchDeadline: Of a fetch of keys; tests have more patience.
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field of the configuration.
    package init(
        _ configuration: TokenConfiguration, succeeding previous: JSONWebTokenVerifier? = nil,
        fetchDeadline: Duration = Limits.keyFetchDeadline, logger: Logger
    ) throws(CacheError) {
        try configuration.validate()
        self.configuration = configuration
        let (keys, material) = try Self.localKeys(configuration)
        self.keys = keys
        self.identity = configuration.identity(keyMaterial: material)
        guard case .url(let url) = configuration.keys else {
            self.remoteKeys = nil
            return
        }
        let source = RemoteKeys.Source(
            url: url, algorithms: configuration.algorithms, refresh: configuration.refresh)
        if let remoteKeys = previous?.remoteKeys, remoteKeys.source == source {
            self.remoteKeys = remoteKeys
            remoteKeys.expire()
        } else {
            self.remoteKeys = RemoteKeys(source, deadline: fetchDeadline, logger: logger)
        }
    }

    /// Waits for keys to be fetched, if it must, for no longer than ``Limits/keyFetchDeadline``: between two fetches
    /// there is more time than that.
    ///
    /// - Returns: Its `expiresAt` counts the leeway in: from then on the token would be refused.
    package func verify(_ token: String, at now: Timestamp) async throws(CacheError) -> VerifiedToken {
        do throws(TokenFault) {
            let token = try CompactToken(token, allowing: self.configuration.algorithms)
            let keys = try await self.keys(fitting: token, at: now)
            guard let key = keys.first(where: { $0.verifies(token) }) else { throw .signature }
            return try Claims(token.payload, self.configuration)
                .check(self.configuration, at: now, key: self.remoteKeys == nil ? nil : key.digest)
        } catch {
            throw error.error
        }
    }

    /// Those of a secret or a file are in force as long as the verifier is.
    package func trusts(_ key: Digest) -> Bool {
        self.remoteKeys?.trusts(key) ?? self.keys.contains { $0.digest == key }
    }

    package func refresh(at now: Timestamp) async { _ = await self.remoteKeys?.keys(at: now) }

    /// - Returns: At least one key. If the token names none, exactly one: it would be a matter of luck which.
    private func keys(fitting token: CompactToken, at now: Timestamp) async throws(TokenFault) -> [VerificationKey] {
        var keys = self.keys
        if let remoteKeys = self.remoteKeys {
            guard let fetched = await remoteKeys.keys(at: now) else { throw .keys }
            keys = fetched
            if token.keyIdentifier != nil, !keys.contains(where: { $0.fits(token) }) {
                keys = await remoteKeys.keys(at: now, areMissed: true) ?? keys
            }
            guard !keys.isEmpty else { throw .keys }
        }
        let fitting = keys.filter { $0.fits(token) }
        guard !fitting.isEmpty, token.keyIdentifier != nil || fitting.count == 1 else { throw .unknownKey }
        return fitting
    }

    /// - Returns: The keys of a secret or a file, and what they were made of.
    private static func localKeys(
        _ configuration: TokenConfiguration
    ) throws(CacheError) -> (keys: [VerificationKey], material: [UInt8]) {
        switch configuration.keys {
        case .secret(let secret):
            return ([VerificationKey(secret: secret)], secret)
        case .file(let path):
            let document: [UInt8]
            let keys: [VerificationKey]
            do throws(KeyFault) {
                document = try self.read(path)
                keys = try VerificationKey.keys(in: document, for: configuration.algorithms)
            } catch {
                throw .invalidArgument("keys_file", "is \(error.rawValue)")
            }
            guard !keys.isEmpty else { throw .invalidArgument("keys_file", "holds no key for the algorithms") }
            return (keys, document)
        case .url(let url):
            // The keys behind it change without anybody's doing.
            return ([], Array(url.utf8))
        }
    }

    /// Reads one byte more than a key set may have, if there are as many.
    private static func read(_ path: String) throws(KeyFault) -> [UInt8] {
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
            return try file.closeAfter {
                var bytes: [UInt8] = []
                while bytes.count <= Limits.maximumKeySetBytes {
                    let chunk = try [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
                        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                    }
                    guard !chunk.isEmpty else { break }
                    bytes += chunk
                }
                return bytes
            }
        } catch {
            throw .unreadable
        }
    }
}
