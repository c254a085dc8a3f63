// SPDX-License-Identifier: Apache-2.0

/// Why a line of an import is passed over, although nothing is wrong with it.
enum ImportSkip: String, Error, CaseIterable {
    /// It is of a chat, of which an export has the question only.
    case context
    /// An export that did not know the entry's vary parts says so.
    case unknownVary = "unknown_vary"
    case expired

    var text: String {
        switch self {
        case .context: "of chats with a context"
        case .unknownVary: "vary parts not known"
        case .expired: "expired"
        }
    }
}
