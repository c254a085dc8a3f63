// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import GRDB

/// A change of what is known of decisions.
enum DecisionChange: Sendable {
    typealias Completion<Value> = StoreWriter.Completion<Value>

    case append([[UInt8]], to: CacheScope, Completion<UInt64>)
    case save(DecisionSnapshot, of: CacheScope, Completion<Bool>)
    case block(BlockedPair, in: Partition, Completion<Void>)
    case assign(AnswerCluster, to: EntryID, in: Partition, Completion<Bool>)

    /// Bytes that it holds while it waits, roughly.
    var bytes: Int {
        switch self {
        case .append(let records, _, _): records.reduce(0) { $0 + $1.count + 32 }
        case .save(let snapshot, _, _): snapshot.bytes.count
        case .block, .assign: 0
        }
    }

    func fail(_ error: VectorStoreError) {
        switch self {
        case .append(_, _, let completion): completion(.failure(error))
        case .save(_, _, let completion): completion(.failure(error))
        case .block(_, _, let completion): completion(.failure(error))
        case .assign(_, _, _, let completion): completion(.failure(error))
        }
    }
}

extension StoreWriter {
    /// As ``apply`` of any change.
    func apply(_ change: DecisionChange, in database: Database, _ draft: inout Draft) throws -> () -> Void {
        switch change {
        case .append(let records, let cache, let completion):
            let result = try self.alone { try DecisionRows.append(records, to: cache, in: database) }
            return { completion(result) }
        case .save(let snapshot, let cache, let completion):
            let result = try self.alone { try DecisionRows.save(snapshot, of: cache, in: database) }
            return { completion(result) }
        case .block(let pair, let partition, let completion):
            let result = try self.alone { try self.tables.block(pair, in: partition, database, &draft) }
            return { completion(result) }
        case .assign(let cluster, let id, let partition, let completion):
            let result = try self.alone { try self.tables.assign(cluster, to: id, in: partition, database, &draft) }
            return { completion(result) }
        }
    }
}

extension WriterTables {
    /// - Throws: ``VectorStoreError`` with `.overQuota` if the cache has too many blocked questions.
    func block(_ pair: BlockedPair, in partition: Partition, _ database: Database, _ draft: inout Draft) throws {
        let cache = partition.cache
        let question = BlockedQuestions.Question(partition: partition.key, id: pair.question)
        let new = draft.newBlocks[cache] ?? []
        let isKnown = new.contains(question) || self.catalogue.blocked.contains(pair.question, in: partition)
        let count = self.catalogue.blocked.count(of: cache) + new.count
        let maximum = self.catalogue.blocked.maximum
        if !isKnown && count >= maximum { throw VectorStoreError.tooManyBlockedQuestions(limit: maximum) }
        if try BlockedRows.add(pair, in: partition, in: database) { draft.note(question, of: cache) }
    }
}
