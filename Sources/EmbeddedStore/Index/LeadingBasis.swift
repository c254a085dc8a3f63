// SPDX-License-Identifier: Apache-2.0
import CKernels

/// The directions in which a partition's vectors differ most, by which a scan rules most of them out.
package final class LeadingBasis {
    let pointer: UnsafeMutablePointer<ck_scan_basis>
    /// How many entries the partition had when this was learnt.
    package let learntFrom: Int

    /// Takes the basis over.
    init(owning pointer: UnsafeMutablePointer<ck_scan_basis>, learntFrom: Int) {
        self.pointer = pointer
        self.learntFrom = learntFrom
    }

    deinit {
        ck_scan_basis_free(self.pointer)
    }

    package var bytes: Int { ck_scan_basis_bytes(self.pointer) }
}

// Nothing writes to the basis between `init`, which has the only reference to it, and `deinit`.
extension LeadingBasis: @unchecked Sendable {}
