// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials
import GRDB

/// The tables of version 7: clusters of entries, and what is known of decisions.
extension Schema {
    /// By the row of the entry; see ``ClusterRows``.
    static let clusters = """
        CREATE TABLE clusters (
            row INTEGER PRIMARY KEY,
            cluster BLOB NOT NULL CHECK (length(cluster) = 16)
        ) STRICT;
        """

    /// Caches and tenants by their keys, since all this outlives a cache's entries. A row of `decision_logs` stays when the
    /// tenant goes, so that no number is used twice. `pairs` are the blocks of a question, by ``BlockedPair/bytes``. Their key
    /// begins with the cache: partition and question come out of a lookup id, which anybody can make up.
    static let decisions = """
        CREATE TABLE decision_logs (
            cache BLOB PRIMARY KEY CHECK (length(cache) = 32),
            tenant BLOB NOT NULL CHECK (length(tenant) = 32),
            last INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE decision_records (
            cache BLOB NOT NULL,
            number INTEGER NOT NULL,
            record BLOB NOT NULL,
            PRIMARY KEY (cache, number)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE decision_snapshots (
            cache BLOB PRIMARY KEY CHECK (length(cache) = 32),
            tenant BLOB NOT NULL CHECK (length(tenant) = 32),
            up_to INTEGER NOT NULL,
            bytes BLOB NOT NULL
        ) STRICT;
        CREATE TABLE blocked_questions (
            cache BLOB NOT NULL CHECK (length(cache) = 32),
            partition BLOB NOT NULL CHECK (length(partition) = 32),
            question BLOB NOT NULL CHECK (length(question) = 16),
            tenant BLOB NOT NULL CHECK (length(tenant) = 32),
            pairs BLOB NOT NULL,
            PRIMARY KEY (cache, partition, question)
        ) STRICT, WITHOUT ROWID;
        """

    /// Makes this version of version 6, which knew nothing of decisions: entries are in the clusters of their responses.
    ///
    /// Needs the function ``answerCluster``.
    static let fromVersion6 = """
        \(Self.clusters)
        INSERT INTO clusters SELECT row, answer_cluster(response) FROM entries ORDER BY row;
        \(Self.decisions)
        PRAGMA user_version = \(Self.version);
        """

    /// The cluster of a response.
    static let answerCluster = DatabaseFunction("answer_cluster", argumentCount: 1, pure: true) { values in
        // A response of no bytes comes as data of none.
        Data(AnswerCluster(of: Data.fromDatabaseValue(values[0]).map { [UInt8]($0) } ?? []).bytes)
    }
}
