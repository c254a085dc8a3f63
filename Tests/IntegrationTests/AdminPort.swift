// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation
import NIOCore
import NIOPosix

/// What came back for a request over HTTP.
struct HTTPAnswer {
    let status: Int
    let text: String

    /// The body as JSON.
    var object: [String: Any] {
        get throws {
            guard let object = try JSONSerialization.jsonObject(with: Data(self.text.utf8)) as? [String: Any] else {
                throw Programs.Missing(description: "no JSON object: \(self.text)")
            }
            return object
        }
    }

    /// Makes a request on a connection of its own.
    static func of(
        _ method: String, _ path: String, port: Int, headers: [String] = [], body: [UInt8] = []
    ) async throws -> HTTPAnswer {
        let head = ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
        let lines = head + headers + ["Content-Length: \(body.count)", "", ""]
        let request = ByteBuffer(bytes: Array(lines.joined(separator: "\r\n").utf8) + body)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(request)
            var answer = ByteBuffer()
            for try await part in inbound { answer.writeImmutableBuffer(part) }
            return try HTTPAnswer(String(buffer: answer))
        }
    }

    private init(_ answer: String) throws {
        guard let end = answer.range(of: "\r\n\r\n"), let status = answer.firstMatch(of: /^HTTP\/1\.1 (\d+)/),
            let code = Int(status.1)
        else { throw Programs.Missing(description: "no answer: \(answer)") }
        self.status = code
        self.text = String(answer[end.upperBound...])
    }
}

extension RunningService {
    /// Asks the operator's port.
    func get(_ path: String) async throws -> HTTPAnswer {
        try await HTTPAnswer.of("GET", path, port: try await self.port(of: "admin"))
    }

    func metrics() async throws -> Exposition { Exposition(text: try await self.get("/metrics").text) }
}

/// What `/metrics` said.
struct Exposition {
    private struct Series: Hashable {
        let name: String
        let labels: [String: String]
    }

    let text: String
    /// Names of the metrics that it declares.
    let metrics: Set<String>
    private let values: [Series: Double]

    init(text: String) {
        self.text = text
        self.metrics = Set(text.matches(of: /# TYPE (\S+)/).map { String($0.1) })
        var values: [Series: Double] = [:]
        for match in text.matches(of: /(?m)^(\w+)(?:\{(.*)\})? (\S+)$/) {
            let labels = (match.2 ?? "").matches(of: /(\w+)="([^"]*)"/)
            let series = Series(
                name: String(match.1),
                labels: Dictionary(labels.map { (String($0.1), String($0.2)) }, uniquingKeysWith: { $1 }))
            values[series] = Double(match.3)
        }
        self.values = values
    }

    subscript(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        self.values[Series(name: name, labels: labels)]
    }

    /// The values that a label has, in whichever metric.
    func values(of label: String) -> Set<String> { Set(self.values.keys.compactMap { $0.labels[label] }) }
}

/// A tenant with a key, as a settings file has it.
struct KeyedTenant {
    let name: String
    let key: String
    let digest: String
    /// Its entry in the list of tenants.
    let settings: String

    /// - Parameter more: Further settings, each on a line of its own.
    init(_ name: String, roles: String = "read, write, invalidate, admin", _ more: String...) {
        self.name = name
        self.key = "smc_\(name)Secret"
        self.digest = Digest(ofAPIKey: self.key).hexadecimal
        let lines = ["create_caches: true", "api_keys: [{sha256: \(self.digest), roles: [\(roles)]}]"] + more
        self.settings = "  - name: \"\(name)\"\n" + lines.map { "    \($0)\n" }.joined()
    }
}
