// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials
import GRDB

/// The tables of the file.
///
/// Tenants, caches and partitions are found by their digests only; a tenant's and a cache's name are kept beside the
/// cache's digest for statistics and are never searched for. `vector` stands before `prompt` and `response`, so that
/// reading all vectors does not follow the overflow pages of large responses.
enum Schema {
    /// Tells the file from those of other programs ("SemC").
    static let applicationID: Int32 = 0x5365_6d43
    /// Of the tables below. A change of them must change it and bring the old ones up.
    static let version: Int32 = 7

    static let statements = """
        CREATE TABLE caches (
            cache INTEGER PRIMARY KEY,
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
            tenant TEXT NOT NULL,
            name TEXT NOT NULL
        ) STRICT;
        \(Self.partitionsAndEntries)
        \(Self.versions)
        \(Self.vectors)
        \(Self.staleWindows)
        \(Self.clusters)
        \(Self.decisions)
        PRAGMA application_id = \(Self.applicationID);
        PRAGMA user_version = \(Self.version);
        """

    /// `scheme`, `identity`, `vary` and `context` are what `key` was made by; `identity` and `vary` are NULL if they are
    /// not known, `context` also if there is none. `vary` is an object of strings in the form of ``AttributesText``.
    /// `quota_bytes` is what the entry takes of its tenant's byte quota.
    private static let partitionsAndEntries = """
        CREATE TABLE partitions (
            partition INTEGER PRIMARY KEY,
            cache INTEGER NOT NULL,
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
            dimensions INTEGER NOT NULL,
            scheme INTEGER NOT NULL,
            identity BLOB CHECK (length(identity) = 32),
            vary TEXT,
            context BLOB CHECK (length(context) = 32)
        ) STRICT;
        \(Self.partitionIndex)
        CREATE TABLE entries (
            row INTEGER PRIMARY KEY,
            partition INTEGER NOT NULL,
            id BLOB NOT NULL CHECK (length(id) = 16),
            created_ms INTEGER NOT NULL,
            expires_ms INTEGER NOT NULL,
            quota_bytes INTEGER NOT NULL,
            vector BLOB NOT NULL,
            content_type TEXT NOT NULL,
            attributes TEXT,
            prompt_tokens INTEGER,
            completion_tokens INTEGER,
            cost REAL,
            prompt TEXT,
            response BLOB NOT NULL
        ) STRICT;
        CREATE UNIQUE INDEX entries_by_id ON entries (id, partition);
        CREATE INDEX entries_by_partition ON entries (partition);
        CREATE INDEX entries_by_expiry ON entries (expires_ms);
        """

    /// How often caches and tenants were changed, by their keys. A row stays when what it counts is gone.
    private static let versions = """
        CREATE TABLE versions (
            key BLOB PRIMARY KEY CHECK (length(key) = 32),
            epoch INTEGER NOT NULL,
            sequence INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    /// Texts' vectors, by the digest of tenant, model and text; `tenant` and `identity` are digests too, `used` grows with
    /// each use.
    private static let vectors = """
        CREATE TABLE vectors (
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
            tenant BLOB NOT NULL,
            identity BLOB NOT NULL,
            used INTEGER NOT NULL,
            vector BLOB NOT NULL
        ) STRICT;
        CREATE INDEX vectors_by_use ON vectors (used);
        CREATE INDEX vectors_by_tenant ON vectors (tenant);
        """

    /// When an entry becomes stale; NULL if that is its end. At the end of a row, behind its response: only who reads that
    /// reads this, and older files get it without being written anew.
    private static let staleWindows = "ALTER TABLE entries ADD COLUMN fresh_ms INTEGER;"

    /// A cache's partitions in the order in which a scan reads them.
    private static let partitionIndex = "CREATE INDEX partitions_by_cache ON partitions (cache, key);"

    /// Makes this version of version 1, which kept neither what a partition's key was made by nor what an entry takes of a
    /// quota. The tables are written anew: a column at the end of a row would lie behind the pages of its response.
    ///
    /// Needs the function ``attributeBytes``. The lengths are those of ``CacheEntry/quotaBytes(dimensions:)``; a vector
    /// takes four bytes a dimension there too.
    static let fromVersion1 = """
        DROP INDEX entries_by_id;
        DROP INDEX entries_by_partition;
        DROP INDEX entries_by_expiry;
        ALTER TABLE partitions RENAME TO old_partitions;
        ALTER TABLE entries RENAME TO old_entries;
        \(Self.partitionsAndEntries)
        INSERT INTO partitions (partition, cache, key, dimensions, scheme)
            SELECT partition, cache, key, dimensions, 1 FROM old_partitions;
        INSERT INTO entries
            SELECT row, partition, id, created_ms, expires_ms,
                length(response) + coalesce(length(CAST(prompt AS BLOB)), 0) + length(CAST(content_type AS BLOB))
                    + attribute_bytes(row, attributes) + length(vector),
                vector, content_type, attributes, prompt_tokens, completion_tokens, cost, prompt, response
            FROM old_entries ORDER BY row;
        DROP TABLE old_entries;
        DROP TABLE old_partitions;
        \(Self.fromVersion3)
        """

    /// Makes this version of version 2, which did not keep vary parts and contexts.
    static let fromVersion2 = """
        ALTER TABLE partitions ADD COLUMN vary TEXT;
        ALTER TABLE partitions ADD COLUMN context BLOB CHECK (length(context) = 32);
        \(Self.partitionIndex)
        \(Self.fromVersion3)
        """

    /// Makes this version of version 3, which did not count changes.
    static let fromVersion3 = """
        \(Self.versions)
        \(Self.fromVersion4)
        """

    /// Makes this version of version 4, which kept no vectors of texts.
    static let fromVersion4 = """
        \(Self.vectors)
        \(Self.fromVersion5)
        """

    /// Makes this version of version 5, which knew no stale answers.
    static let fromVersion5 = """
        \(Self.staleWindows)
        \(Self.fromVersion6)
        """

    /// What the attributes of a row take of a quota, bytes.
    static let attributeBytes = DatabaseFunction("attribute_bytes", argumentCount: 2, pure: true) { values in
        guard let text = Data.fromDatabaseValue(values[1]) else { return 0 }
        do {
            let bare = CacheEntry(
                id: EntryID(high: 0, low: 0), prompt: nil, response: [], contentType: "",
                attributes: try AttributesText.decode([UInt8](text)), usage: nil,
                createdAt: Timestamp(milliseconds: 0), expiresAt: Timestamp(milliseconds: 0))
            return bare.quotaBytes(dimensions: 0)
        } catch {
            let row = Int64.fromDatabaseValue(values[0]) ?? 0
            throw DatabaseError(
                resultCode: .SQLITE_CORRUPT, message: "row \(row) of its entries: its attributes cannot be read")
        }
    }
}
