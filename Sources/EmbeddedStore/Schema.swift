// SPDX-License-Identifier: Apache-2.0

/// The tables of the file.
///
/// Tenants, caches and partitions are found by their digests only; a tenant's and a cache's name are kept beside the
/// cache's digest for statistics and are never searched for. `vector` stands before `prompt` and `response`, so that
/// reading all vectors does not follow the overflow pages of large responses.
enum Schema {
    /// Tells the file from those of other programs ("SemC").
    static let applicationID: Int32 = 0x5365_6d43
    /// Of the tables below. A change of them must change it and bring the old ones up.
    static let version: Int32 = 1

    static let statements = """
        CREATE TABLE caches (
            cache INTEGER PRIMARY KEY,
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
            tenant TEXT NOT NULL,
            name TEXT NOT NULL
        ) STRICT;
        CREATE TABLE partitions (
            partition INTEGER PRIMARY KEY,
            cache INTEGER NOT NULL,
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
            dimensions INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE entries (
            row INTEGER PRIMARY KEY,
            partition INTEGER NOT NULL,
            id BLOB NOT NULL CHECK (length(id) = 16),
            created_ms INTEGER NOT NULL,
            expires_ms INTEGER NOT NULL,
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
        PRAGMA application_id = \(Self.applicationID);
        PRAGMA user_version = \(Self.version);
        """
}
