// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials
import NIOPosix
import SystemPackage

/// Where a key or a token is found; never the key itself, so that no configuration shows it.
package enum CredentialSource: Sendable, Hashable {
    case none
    /// Read anew for each request: a token that expires is replaced in its file, and that takes effect at once.
    case file(String)
    /// Read for each request too, though a process's variables rarely change.
    case environment(String)
}

/// A key or a token. What describes or dumps it shows nothing of it.
struct Credential: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    let text: String

    /// - Parameter given: Blanks and ends of lines around it are not a part of it.
    /// - Returns: `nil` for what cannot be in a header: it must be visible ASCII.
    init?(_ given: some Collection<UInt8>) {
        guard let bytes = given.trimmed, bytes.count <= Limits.maximumCredentialBytes,
            bytes.allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    var description: String { "a credential" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension Collection<UInt8> {
    /// - Returns: `nil` if nothing is left.
    fileprivate var trimmed: [UInt8]? {
        let blanks: Set<UInt8> = [0x20, 0x09, 0x0a, 0x0d]
        let bytes = Array(self.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed())
        return bytes.isEmpty ? nil : bytes
    }
}

/// There is no credential where it should be.
struct CredentialFault: Error {}

extension CredentialSource {
    /// Off the threads that tasks share: a file may be on a disk that takes its time.
    func credential() async throws(CredentialFault) -> Credential? {
        guard case .file(let path) = self else { return try self.credentialNow() }
        let source = Self.file(path)
        do {
            return try await NIOThreadPool.singleton.runIfActive { try source.credentialNow() }
        } catch {
            throw CredentialFault()
        }
    }

    /// On this thread; at the start.
    func credentialNow() throws(CredentialFault) -> Credential? {
        let bytes: [UInt8]
        switch self {
        case .none: return nil
        case .file(let path): bytes = try Self.read(path)
        case .environment(let name): bytes = Array((ProcessInfo.processInfo.environment[name] ?? "").utf8)
        }
        guard let credential = Credential(bytes) else { throw CredentialFault() }
        return credential
    }

    /// Reads up to one byte more than it may have.
    private static func read(_ path: String) throws(CredentialFault) -> [UInt8] {
        let limit = Limits.maximumCredentialBytes + 1
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking])
            return try file.closeAfter {
                var bytes: [UInt8] = []
                while bytes.count < limit {
                    let chunk = try [UInt8](unsafeUninitializedCapacity: limit - bytes.count) { buffer, count in
                        count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                    }
                    guard !chunk.isEmpty else { break }
                    bytes += chunk
                }
                return bytes
            }
        } catch {
            throw CredentialFault()
        }
    }
}
