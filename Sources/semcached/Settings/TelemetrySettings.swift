// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation
import Logging
import Telemetry

/// What the service tells of itself.
struct TelemetrySettings: Equatable {
    struct Traces: Equatable {
        /// The collector's base URL as it was given; it may hold a user and a password.
        let endpoint: Secret
        /// Without them, and without a slash at its end.
        let baseURL: String
        /// What they make of the header `Authorization`; `nil` if there are none.
        let authorization: Secret?
        /// Share of the traces begun here that are recorded; those begun elsewhere say so themselves.
        let sampleRatio: Double
        let serviceName: String
    }

    var logLevel: Logger.Level
    var logFormat: LogSettings.Format
    var maximumSeries: Int
    /// `nil` for none.
    var traces: Traces?

    static let keys: Set<String> = [
        "log.level", "log.format", "metrics.maximum_series", "traces.endpoint", "traces.sample_ratio",
        "traces.service_name",
    ]

    /// - Throws: ``SettingsError``, which never holds the endpoint.
    init(_ source: some SettingsReader) throws {
        self.logLevel = try source.choice("log.level", Logger.Level.self) ?? .info
        self.logFormat = try source.choice("log.format", LogSettings.Format.self) ?? .console
        self.maximumSeries = try source.integer("metrics.maximum_series", in: 1000...1_000_000) ?? Limits.maximumSeries
        guard let endpoint = try source.string("traces.endpoint") else {
            for key in ["traces.sample_ratio", "traces.service_name"] where try source.string(key) != nil {
                throw SettingsError("\(key) is given without traces.endpoint")
            }
            return
        }
        guard let (baseURL, authorization) = Self.collector(endpoint) else {
            throw SettingsError(
                "traces.endpoint must be the base URL of a collector, such as http://127.0.0.1:4318, without "
                    + "\(OTLPExporter.path), which is appended, without a query and a fragment")
        }
        self.traces = Traces(
            endpoint: Secret(endpoint), baseURL: baseURL, authorization: authorization,
            sampleRatio: try source.number("traces.sample_ratio", in: 0...1) ?? 1,
            serviceName: try source.string("traces.service_name") ?? "semcached")
    }

    private static func collector(_ endpoint: String) -> (baseURL: String, authorization: Secret?)? {
        guard var url = URLComponents(string: endpoint), ["http", "https"].contains(url.scheme),
            url.host?.isEmpty == false, url.query == nil, url.fragment == nil
        else { return nil }
        if url.path.hasSuffix("/") { url.path.removeLast() }
        guard !url.path.hasSuffix(OTLPExporter.path) else { return nil }
        var authorization: Secret?
        if let user = url.user {
            let credentials = Data("\(user):\(url.password ?? "")".utf8).base64EncodedString()
            authorization = Secret("Basic " + credentials)
        }
        (url.user, url.password) = (nil, nil)
        return url.string.map { ($0, authorization) }
    }
}
