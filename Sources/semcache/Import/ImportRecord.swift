// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One line of an import: a prompt and its answer.
struct ImportRecord: Decodable, Equatable {
    let prompt: String
    let response: String
    let attributes: [String: JSONAttribute]?
    let ttlSeconds: Double?
    let vary: [String: String]?
    let tags: [String]?
    let contentType: String?

    enum CodingKeys: String, CodingKey {
        case prompt
        case response
        case attributes
        case ttlSeconds = "ttl_seconds"
        case vary
        case tags
        case contentType = "content_type"
    }

    /// Reads a line.
    ///
    /// - Throws: ``CommandFault`` that says what is wrong, without any of the line's text.
    init(line: [UInt8]) throws(CommandFault) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(line))
        } catch let error as DecodingError {
            throw Self.fault(error)
        } catch {
            throw CommandFault("is not valid JSON")
        }
        guard !self.prompt.isEmpty else { throw CommandFault("\"prompt\" is empty", field: "prompt") }
        guard !self.response.isEmpty else { throw CommandFault("\"response\" is empty", field: "response") }
        if let seconds = self.ttlSeconds {
            let maximum = Limits.maximumTimeToLive / .seconds(1)
            guard seconds >= 0.001, seconds <= maximum else {
                throw CommandFault("\"ttl_seconds\" is not 0.001 to \(Int(maximum))", field: "ttl_seconds")
            }
        }
    }

    var timeToLive: Duration? { self.ttlSeconds.map { .milliseconds(Int64(($0 * 1000).rounded())) } }

    private static func fault(_ error: DecodingError) -> CommandFault {
        switch error {
        case .keyNotFound(let key, let context):
            let name = self.field(context.codingPath) ?? self.field([key])
            return CommandFault("has no \"\(name ?? "prompt")\"", field: name)
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return self.typeFault(context)
        case .dataCorrupted(let context):
            return context.codingPath.isEmpty ? CommandFault("is not valid JSON") : self.typeFault(context)
        @unknown default:
            return CommandFault("is not valid JSON")
        }
    }

    private static func typeFault(_ context: DecodingError.Context) -> CommandFault {
        guard let name = self.field(context.codingPath) else { return CommandFault("is not a JSON object") }
        return CommandFault("\"\(name)\" is not \(self.type(of: name))", field: name)
    }

    /// The outermost of our own keys: what is inside may be the line's text.
    private static func field(_ path: [any CodingKey]) -> String? {
        path.first.flatMap { CodingKeys(stringValue: $0.stringValue) }?.stringValue
    }

    private static func type(of field: String) -> String {
        switch CodingKeys(stringValue: field) {
        case .attributes: "an object of strings, numbers, Booleans and lists of strings"
        case .ttlSeconds: "a number"
        case .vary: "an object of strings"
        case .tags: "a list of strings"
        case .prompt, .response, .contentType, nil: "a string"
        }
    }
}
