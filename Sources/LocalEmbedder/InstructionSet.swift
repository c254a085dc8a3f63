// SPDX-License-Identifier: Apache-2.0

package import CKernels

/// Names the paths of the kernels, and says which one is to be taken.
package enum InstructionSet {
    /// Holds what the environment variable `SEMCACHED_ISA` asks for: one of ``supported``, or nil for the best.
    package static var requested: String? { ck_isa_requested().map { String(cString: $0) } }

    /// Names what this CPU can run, the slowest first.
    package static var supported: [String] {
        (0..<UInt32(CK_ISA_COUNT)).map { ck_isa(rawValue: $0) }.filter { ck_isa_supported($0) != 0 }.map(Self.name)
    }

    /// Returns the path of a name, or the best one of this CPU without a name.
    ///
    /// - Throws: ``ModelError`` with `.unsupported` for what is unknown or what this CPU lacks; it names what there is.
    package static func path(named name: String?) throws(ModelError) -> ck_isa {
        guard let name else { return ck_isa_best() }
        for isa in (0..<UInt32(CK_ISA_COUNT)).map({ ck_isa(rawValue: $0) }) where Self.name(of: isa) == name {
            if ck_isa_supported(isa) != 0 { return isa }
        }
        throw ModelError(
            .unsupported,
            "SEMCACHED_ISA asks for kernels that this machine does not have; it has "
                + Self.supported.joined(separator: ", "))
    }

    package static func name(of isa: ck_isa) -> String { String(cString: ck_isa_name(isa)) }
}
