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
    let response: [UInt8]
    let attributes: [String: JSONAttribute]
    let ttlSeconds: Double?
    let expiresAt: CacheInstant?
    let staleUntil: CacheInstant?
    let vary: [String: String]
    let tags: [String]
    let contentType: String?
    let usage: JSONUsage?
    /// Why the line is none that can be stored, although it is right.
    let skip: ImportSkip?

    enum CodingKeys: String, CodingKey {
        case prompt
        case response
        case responseBase64 = "response_base64"
        case attributes
        case ttlSeconds = "ttl_seconds"
        case expiresAt = "expires_at"
        case staleUntil = "stale_until"
        case vary
        case context
        case tags
        case contentType = "content_type"
        case usage
    }

    init(from decoder: any Decoder) throws {
        let line = try decoder.container(keyedBy: CodingKeys.self)
        self.prompt = try line.decode(String.self, forKey: .prompt)
        if line.contains(.response) || !line.contains(.responseBase64) {
            self.response = Array(try line.decode(String.self, forKey: .response).utf8)
        } else {
            self.response = Array(try line.decode(Data.self, forKey: .responseBase64))
        }
        self.attributes = try line.decodeIfPresent([String: JSONAttribute].self, forKey: .attributes) ?? [:]
        self.ttlSeconds = try line.decodeIfPresent(Double.self, forKey: .ttlSeconds)
        self.expiresAt = try line.instant(.expiresAt)
        self.staleUntil = try line.instant(.staleUntil)
        self.vary = try line.decodeIfPresent([String: String].self, forKey: .vary) ?? [:]
        self.tags = try line.decodeIfPresent([String].self, forKey: .tags) ?? []
        self.contentType = try line.decodeIfPresent(String.self, forKey: .contentType)
        self.usage = try line.decodeIfPresent(JSONUsage.self, forKey: .usage)
        // Without them the entry would become the answer to another question. A line without "vary" has no vary parts;
        // one whose "vary" is null has some, or none, that nobody knows.
        if line.contains(.context), try !line.decodeNil(forKey: .context) {
            self.skip = .context
        } else if line.contains(.vary), try line.decodeNil(forKey: .vary) {
            self.skip = .unknownVary
        } else {
            self.skip = nil
        }
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

    /// What "ttl_seconds" says, or else what is left until "expires_at", which may be nothing. One that is stale gets the
    /// least there is, so that it stays stale.
    func timeToLive(at now: CacheInstant) -> Duration? {
        if let seconds = self.ttlSeconds { return .milliseconds(Int64((seconds * 1000).rounded())) }
        return self.expiresAt.map { expiresAt in
            let left = Self.time(from: now, to: expiresAt)
            guard left < .milliseconds(1), let stale = self.staleTimeToLive(at: now) else { return left }
            return stale > .zero ? .milliseconds(1) : left
        }
    }

    /// What "stale_until" leaves after "expires_at", or from now on if that has passed.
    func staleTimeToLive(at now: CacheInstant) -> Duration? {
        guard let expiresAt = self.expiresAt, let staleUntil = self.staleUntil else { return nil }
        return max(.zero, Self.time(from: now.milliseconds > expiresAt.milliseconds ? now : expiresAt, to: staleUntil))
    }

    private static func time(from start: CacheInstant, to end: CacheInstant) -> Duration {
        let (left, isOverflow) = end.milliseconds.subtractingReportingOverflow(start.milliseconds)
        return isOverflow ? .zero : min(.milliseconds(left), Limits.maximumTimeToLive)
    }

    private static func fault(_ error: DecodingError) -> CommandFault {
        switch error {
        case .keyNotFound(let key, let context):
            guard context.codingPath.isEmpty else { return self.typeFault(context) }
            let name = self.field([key])
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
        case .expiresAt, .staleUntil: "a time such as 2025-11-21T07:45:00.123Z"
        case .vary: "an object of strings"
        case .tags: "a list of strings"
        case .usage: "an object of prompt_tokens, completion_tokens and cost"
        case .responseBase64: "a string of Base64"
        case .prompt, .response, .context, .contentType, nil: "a string"
        }
    }
}

extension KeyedDecodingContainer<ImportRecord.CodingKeys> {
    fileprivate func instant(_ key: Key) throws -> CacheInstant? {
        try self.decodeIfPresent(String.self, forKey: key).map { text in
            guard let instant = CacheInstant(text) else {
                throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "is no time")
            }
            return instant
        }
    }
}
