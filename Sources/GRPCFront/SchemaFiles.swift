// SPDX-License-Identifier: Apache-2.0

import CCacheProto

/// The schema as its compiler describes it: a `google.protobuf.FileDescriptorSet`, of which names and imports are read.
struct SchemaFiles: Sendable {
    struct File: Sendable {
        let name: String
        let imports: [String]
        /// A `google.protobuf.FileDescriptorProto`.
        let bytes: ArraySlice<UInt8>
    }

    /// Fields of descriptors whose elements declare names; in the messages that are named for them.
    private enum Declaration {
        case message, enumeration, service
        /// A field, method, oneof or value: has a name and nothing in it.
        case leaf

        /// What a field of a declaration declares.
        func inner(_ field: UInt64) -> Declaration? {
            switch (self, field) {
            case (.message, 2), (.message, 8): .leaf
            case (.message, 3): .message
            case (.message, 4): .enumeration
            case (.enumeration, 2), (.service, 2): .leaf
            default: nil
            }
        }

        /// What a field of a file declares.
        static func ofFile(_ field: UInt64) -> Declaration? {
            switch field {
            case 4: .message
            case 5: .enumeration
            case 6: .service
            default: nil
            }
        }
    }

    private(set) var files: [String: File] = [:]
    /// Full names of all that is declared, and the files that do.
    private var symbols: [String: String] = [:]
    /// Full names, in order.
    private(set) var services: [String] = []

    /// That of this service, health and reflection.
    static let ours = SchemaFiles(
        UnsafeBufferPointer(start: semcached_descriptor_set(), count: semcached_descriptor_set_bytes()).map { $0 }[...])

    /// - Parameter set: What the compiler made; not a peer's.
    init(_ set: ArraySlice<UInt8>) {
        for case (1, .data(let file)) in ProtobufFields(set) { self.add(file) }
        self.services.sort()
    }

    func file(named name: String) -> File? { self.files[name] }

    /// - Parameter symbol: Full name of a service, method, message, field, enum or value, without a leading dot.
    func file(declaring symbol: String) -> File? { self.symbols[symbol].flatMap { self.files[$0] } }

    /// A file and those that it builds on, each once.
    func withImports(_ file: File) -> [File] {
        var found = [file]
        var position = 0
        while position < found.count {
            for name in found[position].imports where !found.contains(where: { $0.name == name }) {
                if let imported = self.files[name] { found.append(imported) }
            }
            position += 1
        }
        return found
    }

    private mutating func add(_ bytes: ArraySlice<UInt8>) {
        var name = ""
        var package = ""
        var imports: [String] = []
        for case (let field, .data(let data)) in ProtobufFields(bytes) {
            switch field {
            case 1: name = String(decoding: data, as: UTF8.self)
            case 2: package = String(decoding: data, as: UTF8.self)
            case 3: imports.append(String(decoding: data, as: UTF8.self))
            default: break
            }
        }
        self.files[name] = File(name: name, imports: imports, bytes: bytes)
        for case (let field, .data(let data)) in ProtobufFields(bytes) {
            guard let declaration = Declaration.ofFile(field) else { continue }
            let symbol = self.declare(declaration, data, in: package, of: name)
            if declaration == .service { self.services.append(symbol) }
        }
    }

    /// - Returns: The full name.
    @discardableResult
    private mutating func declare(
        _ declaration: Declaration, _ bytes: ArraySlice<UInt8>, in scope: String, of file: String
    ) -> String {
        var name = ""
        for case (1, .data(let data)) in ProtobufFields(bytes) { name = String(decoding: data, as: UTF8.self) }
        let symbol = scope.isEmpty ? name : "\(scope).\(name)"
        self.symbols[symbol] = file
        for case (let field, .data(let data)) in ProtobufFields(bytes) {
            guard let inner = declaration.inner(field) else { continue }
            // The values of an enum are named beside it, not in it.
            self.declare(inner, data, in: declaration == .enumeration ? scope : symbol, of: file)
        }
        return symbol
    }
}
