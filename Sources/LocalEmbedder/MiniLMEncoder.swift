// SPDX-License-Identifier: Apache-2.0

package import CKernels
import Synchronization

/// The all-MiniLM-L6-v2 network: token ids to vectors of unit length.
///
/// A class over C memory that is written only in `init`, before anyone else can have it, and freed only in `deinit`,
/// after everyone has let go of it; hence `@unchecked Sendable`. What changes during a call is in the ``Workspace``.
package final class MiniLMEncoder: @unchecked Sendable {
    /// How weights and activations are multiplied.
    package enum Precision: String, Sendable, CaseIterable {
        /// As in the file; the reference.
        case fp32
        /// Half the bytes and twice the speed; vectors are interchangeable with those of fp32.
        case int16
        /// A quarter of the bytes and nearly twice the speed of int16; vectors of their own, whose cosine to those of
        /// fp32 is 0.9987 on average and 0.99 or more.
        case int8

        /// Ends the revision of an embedding identity, so that vectors that must not meet do not.
        package var revisionSuffix: String { self == .int8 ? "-int8" : "" }

        fileprivate var code: ck_encoder_precision {
            switch self {
            case .fp32: CK_ENCODER_FP32
            case .int16: CK_ENCODER_INT16
            case .int8: CK_ENCODER_INT8
            }
        }
    }

    /// The memory of one call, for one call at a time.
    ///
    /// `@unchecked Sendable`: the memory is touched only between taking and giving back `isInUse`, which traps when two
    /// calls overlap.
    package final class Workspace: @unchecked Sendable {
        private let pointer: OpaquePointer
        private let isInUse = Atomic(false)

        fileprivate init() throws(ModelError) {
            guard let pointer = ck_encoder_workspace_create() else {
                throw ModelError(.outOfMemory, "no memory for the workspace of an encoder")
            }
            self.pointer = pointer
        }

        deinit { ck_encoder_workspace_destroy(self.pointer) }

        fileprivate func use<Result>(_ body: (OpaquePointer) -> Result) -> Result {
            let wasInUse = self.isInUse.exchange(true, ordering: .acquiring)
            precondition(!wasInUse, "two calls share a workspace")
            defer { self.isInUse.store(false, ordering: .releasing) }
            return body(self.pointer)
        }
    }

    package static let dimensions = Int(CK_ENCODER_DIMENSIONS)
    /// Bounds the tokens of a text, [CLS] and [SEP] among them.
    package static let maximumTokens = Int(CK_ENCODER_MAXIMUM_TOKENS)

    /// Counts the tokens that there are vectors for; ids are smaller.
    package let vocabularySize: Int
    package let precision: Precision
    package let isa: ck_isa
    private let pointer: OpaquePointer

    /// Loads the weights and packs them for an instruction set, into 58 MB (int8), 68 MB (int16) or 89 MB (fp32).
    ///
    /// The file is not needed afterwards.
    ///
    /// - Parameter path: Names a model.safetensors.
    /// - Throws: ``ModelError`` with `.missing`, `.damaged`, `.unsupported` or `.outOfMemory`.
    package init(modelFile path: String, precision: Precision = .int16, isa: ck_isa = ck_isa_best())
        throws(ModelError)
    {
        let file = try SafeTensors(path: path)
        let model = try MiniLMTensors(file)
        self.vocabularySize = model.vocabularySize
        self.precision = precision
        self.isa = isa
        var pointer: OpaquePointer?
        let status = model.withTensors { tensors in
            ck_encoder_create(&tensors, precision.code, isa, &pointer)
        }
        switch (status, pointer) {
        case (CK_ENCODER_OK, let pointer?):
            self.pointer = pointer
        case (CK_ENCODER_UNSUPPORTED_ISA, _):
            throw ModelError(.unsupported, "this machine has no \(InstructionSet.name(of: isa))")
        case (CK_ENCODER_OUT_OF_MEMORY, _):
            throw ModelError(.outOfMemory, "no memory for the weights of \(path)")
        default:
            throw ModelError(.damaged, "\(path) has weights that cannot be right; \(ModelError.advice)")
        }
        // A file of zeros passes every check but this one.
        let workspace = try Workspace()
        do throws(ModelError) {
            _ = try self.encode(ids: [0, 0], lengths: [2], using: workspace)
        } catch {
            throw ModelError(.damaged, "\(path) makes no vectors, so its weights cannot be right; \(ModelError.advice)")
        }
    }

    deinit { ck_encoder_destroy(self.pointer) }

    /// Makes the memory that calls of one thread need, 3.3 MB; it serves any number of calls, of any encoder.
    ///
    /// - Throws: ``ModelError`` with `.outOfMemory`.
    package func makeWorkspace() throws(ModelError) -> Workspace { try Workspace() }

    /// Encodes texts; a vector does not depend on the others of the batch.
    ///
    /// - Parameter batch: The ids of each text, 1…``maximumTokens``, [CLS] first and [SEP] last.
    /// - Returns: One vector of ``dimensions`` numbers and unit length per text, in order.
    /// - Throws: ``ModelError`` with `.invalidInput`, before anything is computed.
    /// - Complexity: About 21 million multiplications per token.
    package func encode(_ batch: [[Int32]], using workspace: Workspace) throws(ModelError) -> [[Float]] {
        // Before their sum is made, so that it cannot overflow.
        guard batch.allSatisfy({ (1...Self.maximumTokens).contains($0.count) }) else { throw Self.badLength }
        // The usual batch needs no copies.
        if batch.count == 1 {
            return [try self.encode(ids: batch[0], lengths: [Int32(batch[0].count)], using: workspace)]
        }
        let vectors = try self.encode(
            ids: batch.flatMap { $0 }, lengths: batch.map { Int32($0.count) }, using: workspace)
        return batch.indices.map { Array(vectors[$0 * Self.dimensions..<($0 + 1) * Self.dimensions]) }
    }

    /// Encodes texts whose ids lie one behind the other.
    ///
    /// - Parameters:
    ///   - ids: Of all texts; their count is the sum of the lengths.
    ///   - lengths: Ids of each text, 1…``maximumTokens``.
    /// - Returns: ``dimensions`` numbers per text, one vector behind the other.
    /// - Throws: ``ModelError`` with `.invalidInput`, before anything is computed.
    package func encode(ids: [Int32], lengths: [Int32], using workspace: Workspace)
        throws(ModelError) -> [Float]
    {
        var failure: ModelError?
        let vectors = [Float](unsafeUninitializedCapacity: lengths.count * Self.dimensions) { vectors, count in
            do throws(ModelError) {
                try self.encode(ids: ids.span, lengths: lengths.span, using: workspace, into: vectors)
                count = vectors.count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return vectors
    }

    /// Encodes texts into memory of the caller's; nothing is allocated.
    ///
    /// - Parameters:
    ///   - ids: Of all texts, one behind the other; their count is the sum of the lengths.
    ///   - lengths: Ids of each text, 1…``maximumTokens``.
    ///   - vectors: Receives ``dimensions`` numbers per text; it has room for just so many, and need not be initialised.
    ///     What it holds after an error has no meaning.
    /// - Throws: ``ModelError`` with `.invalidInput`, before anything is computed.
    package func encode(
        ids: Span<Int32>, lengths: Span<Int32>, using workspace: Workspace,
        into vectors: UnsafeMutableBufferPointer<Float>
    ) throws(ModelError) {
        precondition(vectors.count == lengths.count * Self.dimensions, "the memory is not that of the vectors")
        var total = 0
        for index in lengths.indices {
            guard (1...Self.maximumTokens).contains(Int(lengths[index])) else { throw Self.badLength }
            total += Int(lengths[index])
        }
        guard total == ids.count else {
            throw ModelError(.invalidInput, "\(ids.count) ids were given for texts of \(total)")
        }
        guard let base = vectors.baseAddress, !lengths.isEmpty else { return }
        let status = ids.withUnsafeBufferPointer { ids in
            lengths.withUnsafeBufferPointer { lengths in
                workspace.use {
                    ck_encoder_encode(self.pointer, $0, ids.baseAddress, lengths.baseAddress, lengths.count, base)
                }
            }
        }
        switch status {
        case CK_ENCODER_OK:
            return
        case CK_ENCODER_BAD_LENGTH:
            throw Self.badLength
        case CK_ENCODER_BAD_TOKEN:
            throw ModelError(.invalidInput, "an id is not in the vocabulary of \(self.vocabularySize) tokens")
        default:
            throw ModelError(.damaged, "the model makes a vector without a direction; \(ModelError.advice)")
        }
    }

    private static var badLength: ModelError {
        ModelError(.invalidInput, "a text has no token or more than \(self.maximumTokens)")
    }
}
