// SPDX-License-Identifier: Apache-2.0

import CacheClient

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One line of an export, which an import reads.
struct ExportRecord: Encodable {
    private let entry: CacheExportedEntry

    init(_ entry: CacheExportedEntry) { self.entry = entry }

    enum CodingKeys: String, CodingKey {
        case entryID = "entry_id"
        case prompt
        case vary
        case context
        case response
        case responseBase64 = "response_base64"
        case contentType = "content_type"
        case attributes
        case usage
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case staleUntil = "stale_until"
    }

    func encode(to encoder: any Encoder) throws {
        var line = encoder.container(keyedBy: CodingKeys.self)
        try line.encode(self.entry.entryID.description, forKey: .entryID)
        try line.encodeIfPresent(self.entry.prompt, forKey: .prompt)
        // Null if it is not known: an import must not take that for none.
        try line.encode(self.entry.vary, forKey: .vary)
        try line.encodeIfPresent(self.entry.context, forKey: .context)
        if let text = self.entry.text {
            try line.encode(text, forKey: .response)
        } else {
            try line.encode(Data(self.entry.response).base64EncodedString(), forKey: .responseBase64)
        }
        try line.encode(self.entry.contentType, forKey: .contentType)
        try line.encode(self.entry.attributes.mapValues { JSONAttribute($0) }, forKey: .attributes)
        try line.encodeIfPresent(self.entry.usage.map { JSONUsage($0) }, forKey: .usage)
        try line.encode(self.entry.createdAt.text, forKey: .createdAt)
        try line.encode(self.entry.expiresAt.text, forKey: .expiresAt)
        if self.entry.staleUntil != self.entry.expiresAt {
            try line.encode(self.entry.staleUntil.text, forKey: .staleUntil)
        }
    }
}
