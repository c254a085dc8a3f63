// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import GRDB

extension VectorStoreError {
    /// Says what failed and what to do about it.
    ///
    /// SQLite's own message names tables and columns, never values; the statement and its arguments are left out.
    init(_ error: any Error, while action: String, path: String) {
        if let known = error as? VectorStoreError {
            self = known
            return
        }
        if let fault = error as? RowFault {
            self = .damaged(path, "row \(fault.row) of its entries: \(fault.reason)")
            return
        }
        guard let fault = error as? DatabaseError else {
            self.init(.unavailable, "could not \(action) \(path): \(error)")
            return
        }
        let reason = "\(fault.message ?? "no reason given") (SQLite \(fault.extendedResultCode.rawValue))"
        let code: Code
        let advice: String
        switch fault.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_FORMAT:
            code = .corrupt
            advice = Self.corruptAdvice
        case .SQLITE_FULL:
            code = .unavailable
            advice = "free space on its file system, or raise its size limit; nothing that was acknowledged is lost"
        case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN, .SQLITE_AUTH:
            code = .unavailable
            advice = "let this user read and write the file and its folder"
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            code = .unavailable
            advice = "end the other program that has it open"
        default:
            code = .unavailable
            advice = "check its file system; nothing that was acknowledged is lost"
        }
        self.init(code, "could not \(action) \(path): \(reason); \(advice)")
    }

    static let corruptAdvice = "restore the file from a backup, or move it away to start with an empty cache"

    static func damaged(_ path: String, _ fault: String) -> Self {
        Self(.corrupt, "\(path) is damaged: \(fault); \(Self.corruptAdvice)")
    }
}
