// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import LocalEmbedder

@Suite struct SafeTensorsTests {
    private static let header = """
        {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},\
        "b":{"dtype":"F32","shape":[1],"data_offsets":[24,28]},"c":{"dtype":"I64","shape":[1],"data_offsets":[28,36]}}
        """
    private static let numbers: [Float] = [1, 2, 3, 4, 5, 6, 7]

    /// The bytes of a file: the header, its length before it and the numbers behind it, then an integer of eight bytes.
    ///
    /// White space after the header brings what follows to an address that is `shift` more than a multiple of eight.
    private static func file(
        _ header: String = Self.header, length: UInt64? = nil, tail: Int = 8, shift: Int = 0
    ) -> Data {
        let header = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8 + shift)
        var data = Data()
        withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { data.append(contentsOf: $0) }
        data.append(contentsOf: header.utf8)
        Self.numbers.withUnsafeBytes { data.append(contentsOf: $0) }
        data.append(Data(count: tail))
        return data
    }

    private func withFile<Result>(_ bytes: Data, _ body: (String) throws -> Result) throws -> Result {
        let url = FileManager.default.temporaryDirectory.appending(path: "tensors-\(UUID().uuidString)")
        try bytes.write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path)
    }

    /// What opening the file throws, or what it makes of all three tensors.
    private func outcome(_ bytes: Data) throws -> ModelError? {
        try self.withFile(bytes) { path in
            do throws(ModelError) {
                let tensors = try SafeTensors(path: path)
                _ = try tensors.floats("a", shape: [2, 3])
                _ = try tensors.floats("b", shape: [1])
                return nil
            } catch {
                #expect(error.message.contains(path))
                #expect(error.message.contains("deploy/model"))
                return error
            }
        }
    }

    @Test func `a sound file gives its numbers`() throws {
        try self.withFile(Self.file()) { path in
            let tensors = try SafeTensors(path: path)
            let a = UnsafeBufferPointer(start: try tensors.floats("a", shape: [2, 3]), count: 6)
            let b = UnsafeBufferPointer(start: try tensors.floats("b", shape: [1]), count: 1)
            #expect(Array(a) + Array(b) == Self.numbers)
            #expect(try tensors.shape(of: "a") == [2, 3])
            let (hasC, hasMetadata) = (tensors.contains("c"), tensors.contains("__metadata__"))
            #expect(hasC && !hasMetadata)
        }
    }

    @Test func `a missing file is refused with its name and the way to get it`() throws {
        let error = #expect(throws: ModelError.self) { _ = try SafeTensors(path: "/nowhere/model.safetensors") }
        #expect(error?.code == .missing)
        #expect(error?.message.contains("/nowhere/model.safetensors") == true)
        #expect(error?.message.contains("./deploy/model") == true)
    }

    @Test func `a folder is refused`() throws {
        let error = #expect(throws: ModelError.self) { _ = try SafeTensors(path: "/") }
        #expect(error?.code == .damaged)
    }

    @Test func `a file cut at any byte is refused`() throws {
        let whole = Self.file()
        #expect(try self.outcome(whole) == nil)
        for length in 0..<whole.count {
            #expect(try self.outcome(whole.prefix(length))?.code == .damaged, "cut to \(length) bytes")
        }
    }

    @Test func `a file with bytes that belong to nothing is refused`() throws {
        #expect(try self.outcome(Self.file(tail: 9))?.code == .damaged)
    }

    @Test(arguments: [0, 1, 7, 1 << 20, (1 << 20) + 1, UInt64(Int.max), .max - 7, .max])
    func `a header length that cannot be is refused`(length: UInt64) throws {
        #expect(try self.outcome(Self.file(length: length))?.code == .damaged)
    }

    @Test(arguments: [
        "", "{", "[]", "null", "garbage", #"{"a":1}"#, #"{"a":{"dtype":"F32"}}"#, #"{"a":[]}"#,
        String(repeating: #"{"a":"#, count: 20_000),
        #"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0]}}"#,
        #"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24,36]}}"#,
        #"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[12,36]}},"#,
        #"{"a":{"dtype":"F32","shape":[6],"data_offsets":[-24,0]},"b":{"dtype":"","shape":[],"data_offsets":[0,36]}}"#,
        #"{"a":{"dtype":"F32","shape":[6],"data_offsets":[36,12]},"b":{"dtype":"","shape":[],"data_offsets":[0,36]}}"#,
        #"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[16,40]}}"#,
        #"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,36]}}"#,
        #"{"a":{"dtype":"F32","shape":[-3,-3],"data_offsets":[0,36]}}"#,
        #"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,36]}}"#,
        #"{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,36]}}"#,
        #"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,36]}}"#,
        #"{"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,36]}}"#,
        #"{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,9223372036854775807]}}"#,
    ])
    func `a header that cannot be right is refused`(header: String) throws {
        #expect(try self.outcome(Self.file(header))?.code == .damaged)
    }

    @Test func `a tensor of another type is refused by name`() throws {
        try self.withFile(Self.file()) { path in
            let tensors = try SafeTensors(path: path)
            for (name, shape, reason) in [("c", [1], "I64"), ("a", [3, 2], "[2, 3]"), ("d", [1], "no tensor d")] {
                do throws(ModelError) {
                    _ = try tensors.floats(name, shape: shape)
                    Issue.record("\(name) was accepted")
                } catch {
                    #expect(error.code == .unsupported)
                    #expect(error.message.contains(reason) && error.message.contains(path))
                }
            }
        }
    }

    @Test func `numbers that are not aligned are refused`() throws {
        #expect(try self.outcome(Self.file(shift: 4)) == nil)
        for shift in [1, 2, 3] { #expect(try self.outcome(Self.file(shift: shift))?.code == .damaged) }
    }

    @Test func `no single wrong byte of the header brings it down`() throws {
        let whole = Self.file()
        var (refused, tried) = (0, 0)
        for position in 0..<8 + Self.header.utf8.count {
            for mask: UInt8 in [0x01, 0x10, 0x80] {
                var bytes = whole
                bytes[position] ^= mask
                refused += try self.outcome(bytes) == nil ? 0 : 1
                tried += 1
            }
        }
        #expect(refused > tried * 3 / 4, "\(refused) of \(tried)")
    }
}
