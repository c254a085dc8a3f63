// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import HTTPEmbedder
import Logging
import ServiceLifecycle

/// The judges of the settings, whether or not a cache names one: it may do so later.
struct Judges {
    private static let patience = Duration.seconds(30)

    private let made: [String: HTTPJudge]

    /// Reads credentials; asks nobody.
    ///
    /// - Throws: ``SettingsError``.
    init(_ settings: JudgeSettings, logger: Logger) throws {
        var made: [String: HTTPJudge] = [:]
        for (name, configuration) in settings.judges {
            do throws(CacheError) {
                made[name] = try HTTPJudge(configuration, logger: logger)
            } catch {
                throw SettingsError(error, at: "judge \(name)", of: configuration)
            }
        }
        self.made = made
    }

    /// By the names by which caches choose.
    var byName: [String: any AnswerJudge] { self.made }

    /// Sees that they are asked.
    func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for judge in self.made.values { group.addTask { try await judge.run() } }
        }
    }

    /// Has each say whether two questions that are fixed are the same.
    ///
    /// - Returns: A line for each.
    func probe() async throws -> [String] {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for judge in self.made.values { group.addTask { try await judge.run() } }
            defer { group.cancelAll() }
            var lines: [String] = []
            for (name, judge) in self.made.sorted(by: { $0.key < $1.key }) {
                lines.append(try await Self.probe(name, judge))
            }
            return lines
        }
    }

    private static func probe(_ name: String, _ judge: HTTPJudge) async throws -> String {
        let start = ContinuousClock.now
        do throws(EmbedderError) {
            try await judge.probe(by: start + self.patience)
        } catch {
            throw SettingsError("judge \(name): \(error.code.rawValue): \(error.message)")
        }
        let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        return "judge \(name) replied in \(Int(milliseconds)) ms"
    }
}

/// Runs judges until the ports have stopped.
struct JudgeService: Service {
    let judges: Judges

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await self.judges.run()
            // Without a judge there is nothing to run, and a service that ends by itself ends all.
            try? await gracefulShutdown()
        }
    }
}
