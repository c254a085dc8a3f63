// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions

/// What a ``LookupID`` says: all that a verdict on the answer needs, so that no replica has to remember it. Digests and
/// numbers, no text; what a caller makes up teaches that caller's own cache.
struct RememberedLookup {
    /// First half of the cache's key.
    let cache: EntryID
    /// Key of the partition.
    let partition: Digest
    let question: EntryID
    /// Whose answer it was.
    let entry: EntryID
    let record: DecisionRecord

    init?(_ id: LookupID) {
        let bytes = id.bytes
        guard bytes.count > 80, let cache = EntryID(bytes: bytes[0..<16]),
            let partition = Digest(bytes: bytes[16..<48]),
            let question = EntryID(bytes: bytes[48..<64]), let entry = EntryID(bytes: bytes[64..<80]),
            let record = DecisionRecord(bytes: Array(bytes[80...]))
        else { return nil }
        (self.cache, self.partition, self.question, self.entry, self.record) =
            (cache, partition, question, entry, record)
    }
}

extension LookupID {
    init(of chosen: Appraisal, to asked: AskedQuestion, in partition: Partition) {
        let record = chosen.record(isRight: true, source: .feedback)
        self.init(
            bytes: EntryID(partition.cache.key).bytes + partition.key.bytes + asked.id(in: partition).bytes
                + chosen.match.entry.id.bytes + record.bytes(origin: 0))
    }
}

extension DecisionRecord {
    /// The same with a verdict.
    func judged(isRight: Bool) -> DecisionRecord {
        DecisionRecord(
            isRight: isRight, source: .feedback, similarity: self.similarity, risk: self.risk,
            isGuarded: self.isGuarded,
            cluster: self.cluster, features: self.features)
    }
}
