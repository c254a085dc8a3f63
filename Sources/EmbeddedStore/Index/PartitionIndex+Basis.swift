// SPDX-License-Identifier: Apache-2.0
import CKernels

extension PartitionIndex {
    /// Entries below which a scan of all vectors is quick enough, and at which the basis is learnt anew for good.
    static let firstLesson = Int(CK_SCAN_LEAD_SEGMENT)
    static let lastLesson = 32_768

    /// Whether the partition has grown to where a basis, or a better one, is worth learning.
    package var wantsBasis: Bool {
        guard self.count >= Self.firstLesson else { return false }
        guard let basis = self.basis else { return true }
        return basis.learntFrom < Self.lastLesson && self.count >= Self.lastLesson
    }

    /// Learns a basis from a sample of the vectors, only reading: some 40 ms on one core at 384 dimensions.
    ///
    /// - Precondition: The index is not empty.
    package func learnBasis() -> LeadingBasis {
        let wanted = Int(ck_scan_basis_sample(UInt32(self.dimensions)))
        let size = min(self.count, wanted)
        precondition(size > 0, "a basis needs vectors to learn from")
        let sample: [UnsafePointer<Int16>?] = (0..<size).map { index in
            let (segment, place) = Self.place(of: UInt32(index * self.count / size))
            let planes = self.segments[segment]
            return UnsafePointer(planes.vectors + place * Int(planes.stride))
        }
        let learnt = sample.withUnsafeBufferPointer {
            ck_scan_basis_learn(self.instructionSet, $0.baseAddress, UInt32(size), UInt32(self.dimensions))
        }
        guard let learnt else { preconditionFailure("out of memory") }
        return LeadingBasis(owning: learnt, learntFrom: self.count)
    }

    /// Codes every entry by a basis that was learnt from this index: some half a millisecond per 1,000 entries.
    ///
    /// Entries put in or removed between the two do no harm. A partition that has become too small for a basis in the
    /// meantime takes none.
    package func adopt(_ basis: LeadingBasis) {
        guard self.count >= Self.firstLesson else { return }
        for index in self.segments.indices {
            ck_scan_encode(
                self.instructionSet, &self.segments[index], 0, self.segments[index].count, basis.pointer)
        }
        self.basis = basis
    }

    /// Learns and adopts a basis if one is wanted.
    package func refreshBasis() {
        if self.wantsBasis { self.adopt(self.learnBasis()) }
    }
}
