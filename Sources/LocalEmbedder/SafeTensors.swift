// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// A safetensors file, mapped into memory: a header in JSON that names tensors, then their numbers.
///
/// Every length in the file is checked against the file before it is used. The file must not become shorter while it is
/// mapped, so an instance should live only as long as it takes to copy the numbers out.
struct SafeTensors: ~Copyable {
    /// What the header says of one tensor. `data_offsets` counts from the end of the header.
    private struct Entry: Decodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]
    }

    /// Takes the tensors from the header and leaves its free text, which has another form.
    private struct Header: Decodable {
        private struct Name: CodingKey {
            let stringValue: String
            let intValue: Int? = nil
            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        let entries: [String: Entry]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Name.self)
            var entries: [String: Entry] = [:]
            for name in container.allKeys where name.stringValue != "__metadata__" {
                entries[name.stringValue] = try container.decode(Entry.self, forKey: name)
            }
            self.entries = entries
        }
    }

    private struct Tensor {
        let type: String
        let shape: [Int]
        let bytes: Range<Int>
    }

    /// Bounds the header in bytes. That of the model has 11 thousand.
    private static let maximumHeaderBytes = 1 << 20

    let path: String
    private let file: UnsafeRawBufferPointer
    private let tensors: [String: Tensor]

    /// Maps a file and reads its header.
    ///
    /// - Throws: ``ModelError`` with `.missing` when there is no such file, `.damaged` when it is not a whole
    ///   safetensors file.
    init(path: String) throws(ModelError) {
        let file = try Self.map(path)
        do throws(ModelError) {
            self.tensors = try Self.readHeader(of: file, path: path)
        } catch {
            Self.unmap(file)
            throw error
        }
        self.path = path
        self.file = file
    }

    deinit { Self.unmap(self.file) }

    func contains(_ name: String) -> Bool { self.tensors[name] != nil }

    /// Returns the lengths of a tensor's dimensions.
    ///
    /// - Throws: ``ModelError`` with `.unsupported` when there is no such tensor.
    func shape(of name: String) throws(ModelError) -> [Int] { try self.tensor(name).shape }

    /// Returns the numbers of a tensor, row by row; valid as long as the instance.
    ///
    /// - Throws: ``ModelError`` with `.unsupported` when there is no such tensor, or it has another shape or type.
    func floats(_ name: String, shape: [Int]) throws(ModelError) -> UnsafePointer<Float> {
        let tensor = try self.tensor(name)
        guard tensor.type == "F32" else {
            throw self.otherModel("\(name) is of type \(tensor.type) instead of F32")
        }
        guard tensor.shape == shape else {
            throw self.otherModel("\(name) has shape \(tensor.shape) instead of \(shape)")
        }
        // Non-nil: a shape without a zero has bytes, which lie in the mapping.
        guard let base = self.file.baseAddress, !tensor.bytes.isEmpty, tensor.bytes.lowerBound.isMultiple(of: 4) else {
            throw Self.damage(self.path, "\(name) is empty or not aligned")
        }
        return (base + tensor.bytes.lowerBound).assumingMemoryBound(to: Float.self)
    }

    private func tensor(_ name: String) throws(ModelError) -> Tensor {
        guard let tensor = self.tensors[name] else { throw self.otherModel("it has no tensor \(name)") }
        return tensor
    }

    private func otherModel(_ what: String) -> ModelError {
        ModelError(.unsupported, "\(self.path) is not all-MiniLM-L6-v2: \(what); \(ModelError.advice)")
    }

    private static func map(_ path: String) throws(ModelError) -> UnsafeRawBufferPointer {
        // A FIFO must not hang the start of the service: hence non-blocking.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code: ModelError.Code = errno == ENOENT || errno == ENOTDIR ? .missing : .damaged
            throw ModelError(code, "cannot open \(path): \(String(cString: strerror(errno))); \(ModelError.advice)")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw ModelError(.damaged, "\(path) is not a regular file; \(ModelError.advice)")
        }
        guard status.st_size > 8 else { throw self.damage(path, "it has only \(status.st_size) bytes") }
        let size = Int(status.st_size)
        guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw ModelError(.outOfMemory, "cannot map \(path): \(String(cString: strerror(errno)))")
        }
        madvise(address, size, MADV_WILLNEED)
        return UnsafeRawBufferPointer(start: address, count: size)
    }

    private static func unmap(_ file: UnsafeRawBufferPointer) {
        munmap(UnsafeMutableRawPointer(mutating: file.baseAddress), file.count)
    }

    private static func readHeader(of file: UnsafeRawBufferPointer, path: String)
        throws(ModelError) -> [String: Tensor]
    {
        let stated = UInt64(littleEndian: file.loadUnaligned(as: UInt64.self))
        guard stated <= UInt64(min(file.count - 8, self.maximumHeaderBytes)) else {
            throw self.damage(path, "its header would have \(stated) bytes")
        }
        let start = 8 + Int(stated)
        let header: Header
        do {
            header = try JSONDecoder().decode(Header.self, from: Data(file[8..<start]))
        } catch {
            throw self.damage(path, "its header cannot be read")
        }
        var tensors: [String: Tensor] = [:]
        var end = start
        for (name, entry) in header.entries {
            guard let bytes = self.bytes(of: entry, in: file.count - start) else {
                throw self.damage(path, "\(name) does not lie in the file, or its size is not that of its shape")
            }
            let range = start + bytes.lowerBound..<start + bytes.upperBound
            end = max(end, range.upperBound)
            tensors[name] = Tensor(type: entry.dtype, shape: entry.shape, bytes: range)
        }
        guard end == file.count else { throw self.damage(path, "\(file.count - end) bytes belong to no tensor") }
        return tensors
    }

    /// Returns where a tensor lies among the `available` bytes after the header, or nil when that cannot be.
    private static func bytes(of entry: Entry, in available: Int) -> Range<Int>? {
        guard entry.data_offsets.count == 2, entry.shape.count <= 8 else { return nil }
        let (first, end) = (entry.data_offsets[0], entry.data_offsets[1])
        guard 0 <= first, first <= end, end <= available else { return nil }
        // Sizes of other types are not checked: such a tensor is never read.
        guard entry.dtype == "F32" else { return first..<end }
        var size = 4
        for length in entry.shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: length)
            guard length >= 0, !overflow else { return nil }
            size = product
        }
        return size == end - first ? first..<end : nil
    }

    private static func damage(_ path: String, _ what: String) -> ModelError {
        ModelError(.damaged, "\(path) is damaged or no safetensors file: \(what); \(ModelError.advice)")
    }
}
