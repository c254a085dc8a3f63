// SPDX-License-Identifier: Apache-2.0

import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A client's context that is made anew once one of its files has changed, so that certificates are rotated without a
/// restart. While new ones cannot be used, such as a certificate whose key is yet to be written, it stays as it was.
/// The system's list of authorities is not looked at again.
package final class RenewedTLSContext: Sendable {
    private struct Reading {
        let context: TLSContext
        let files: [FileStamp]
    }

    private let configuration: TLSClientConfiguration
    private let report: @Sendable (TLSError) -> Void
    private let latest: Mutex<Reading>

    /// Reads the files.
    ///
    /// - Parameter report: Gets what is wrong with files that have changed, once for each change.
    /// - Throws: ``TLSError`` with `.misconfigured` that names the file and what is wrong.
    package init(
        _ configuration: TLSClientConfiguration, report: @escaping @Sendable (TLSError) -> Void = { _ in }
    ) throws(TLSError) {
        self.configuration = configuration
        self.report = report
        // Before they are read: a change meanwhile is then noticed later.
        let files = configuration.files.map { FileStamp($0) }
        self.latest = Mutex(Reading(context: try TLSContext(configuration), files: files))
    }

    /// The context for a new connection. Asks for the files' times, and reads those that have changed.
    package func current() -> TLSContext {
        let files = self.configuration.files.map { FileStamp($0) }
        let latest = self.latest.withLock { $0 }
        if latest.files == files { return latest.context }
        var context = latest.context
        do throws(TLSError) {
            context = try TLSContext(self.configuration)
        } catch {
            self.report(error)
        }
        // Not read again until they change again.
        self.latest.withLock { $0 = Reading(context: context, files: files) }
        return context
    }
}

extension TLSClientConfiguration {
    fileprivate var files: [String] {
        var files = self.identity.map { [$0.chainFile, $0.keyFile] } ?? []
        if case .file(let file) = self.trust { files.append(file) }
        return files
    }
}

/// What differs after a file was written or replaced; all zeros if there is none.
private struct FileStamp: Equatable {
    private var device: UInt64 = 0
    private var inode: UInt64 = 0
    private var bytes: Int64 = 0
    private var seconds: Int64 = 0
    private var nanoseconds: Int64 = 0

    init(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        self.device = UInt64(status.st_dev)
        self.inode = UInt64(status.st_ino)
        self.bytes = Int64(status.st_size)
        #if canImport(Glibc)
        self.seconds = Int64(status.st_mtim.tv_sec)
        self.nanoseconds = Int64(status.st_mtim.tv_nsec)
        #else
        self.seconds = Int64(status.st_mtimespec.tv_sec)
        self.nanoseconds = Int64(status.st_mtimespec.tv_nsec)
        #endif
    }
}
