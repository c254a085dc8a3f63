// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// A vector as 8 bits for each dimension: a scale, then multiples of it. A dot product with it is off by some thousandths.
enum CompactVector {
    /// - Parameter values: Finite.
    static func encode(_ values: [Float]) -> [UInt8] {
        let largest = values.reduce(Float(0)) { max($0, abs($1)) }
        let scale = largest > 0 ? largest / 127 : 1
        var buffer = ByteBufferAllocator().buffer(capacity: 4 + values.count)
        buffer.writeInteger(scale.bitPattern)
        for value in values { buffer.writeInteger(Int8(max(-127, min(127, (value / scale).rounded())))) }
        return Array(buffer.readableBytesView)
    }

    /// - Returns: `nil` if it is not of the vector's dimension.
    static func similarity(of encoded: ByteBuffer, to vector: [Float]) -> Float? {
        var encoded = encoded
        guard let bits = encoded.readInteger(as: UInt32.self), encoded.readableBytes == vector.count else { return nil }
        let sum = encoded.withUnsafeReadableBytes { bytes in
            var sum = Float(0)
            for (position, value) in vector.enumerated() { sum += value * Float(Int8(bitPattern: bytes[position])) }
            return sum
        }
        let similarity = sum * Float(bitPattern: bits)
        return similarity.isFinite ? min(1, max(-1, similarity)) : nil
    }
}
