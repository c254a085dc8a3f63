// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What an import has done so far.
struct ImportTally: Equatable, Sendable {
    var stored = 0
    /// Of the stored ones, those whose prompt was there before.
    var replaced = 0
    var failed = 0
    /// Lines that were passed over, by why.
    var skipped: [ImportSkip: Int] = [:]

    var lines: Int { self.stored + self.failed + self.skipped.values.reduce(0, +) }
}

/// Keeps the tally of an import and shows it: bad lines as they come, and a bar if somebody watches.
final class ImportReport: Sendable {
    /// Bad lines that are described; the rest is only counted.
    static let maximumDescribed = 100
    private static let redrawInterval = Duration.milliseconds(100)

    private struct State {
        var tally = ImportTally()
        var bytesRead = 0
        var drawnAt: ContinuousClock.Instant?
        var isFinished = false
    }

    private let state = Mutex(State())
    private let start = ContinuousClock.now
    private let isTerminal: Bool
    private let totalBytes: Int?

    /// - Parameter totalBytes: Of the input; `nil` if not known.
    init(totalBytes: Int?, isTerminal: Bool = Output.errorIsTerminal) {
        self.totalBytes = totalBytes
        self.isTerminal = isTerminal
    }

    var tally: ImportTally { self.state.withLock { $0.tally } }

    func stored(isReplacement: Bool) {
        self.update { state in
            state.tally.stored += 1
            if isReplacement { state.tally.replaced += 1 }
        }
    }

    func skipped(_ reason: ImportSkip) { self.update { $0.tally.skipped[reason, default: 0] += 1 } }

    /// - Parameter fault: `nil` if it was described already.
    func failed(line number: Int, _ fault: CommandFault?) {
        let count = self.update { state in
            state.tally.failed += 1
            return state.tally.failed
        }
        guard let fault else { return }
        if count <= Self.maximumDescribed {
            self.describe("line \(number): \(fault.text)")
        } else if count == Self.maximumDescribed + 1 {
            self.describe("more bad lines are counted, but not described")
        }
    }

    func read(bytes: Int) { self.update { $0.bytesRead = bytes } }

    /// Writes a line where the bar is.
    func describe(_ text: String) { Output.error(self.isTerminal ? "\r\u{1b}[K\(text)" : text) }

    /// Takes the bar away, for good.
    ///
    /// - Returns: What was done, and in which time.
    func finish() -> (tally: ImportTally, elapsed: Duration) {
        let (tally, hasBar) = self.state.withLock { state in
            state.isFinished = true
            return (state.tally, state.drawnAt != nil)
        }
        if hasBar { Output.progress("\r\u{1b}[K") }
        return (tally, ContinuousClock.now - self.start)
    }

    @discardableResult
    private func update<Value: Sendable>(_ change: (inout sending State) -> Value) -> Value {
        let (value, bar) = self.state.withLock { state -> (Value, String?) in
            let value = change(&state)
            guard self.isTerminal, !state.isFinished else { return (value, nil) }
            let now = ContinuousClock.now
            if let drawnAt = state.drawnAt, now - drawnAt < Self.redrawInterval { return (value, nil) }
            state.drawnAt = now
            let progress = ImportProgress(
                tally: state.tally, bytesRead: state.bytesRead, totalBytes: self.totalBytes, elapsed: now - self.start)
            return (value, progress.text)
        }
        if let bar { Output.progress("\r\(bar)\u{1b}[K") }
        return value
    }
}

/// How far an import is, as a bar in a line.
struct ImportProgress {
    private static let barWidth = 24

    let tally: ImportTally
    let bytesRead: Int
    let totalBytes: Int?
    let elapsed: Duration

    var text: String {
        let seconds = self.elapsed / .seconds(1)
        let rate = seconds > 0 ? Double(self.tally.lines) / seconds : 0
        var parts = ["\(NumberText.grouped(self.tally.lines)) lines", "\(NumberText.grouped(Int(rate)))/s"]
        if let ratio = self.ratio {
            if ratio > 0.005, ratio < 1 {
                let remaining = Duration.seconds(seconds / ratio * (1 - ratio))
                parts.append("\(DurationText.text(max(.seconds(1), remaining))) left")
            }
            let filled = Int(ratio * Double(Self.barWidth))
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.barWidth - filled)
            parts.insert("[\(bar)] \(Int(ratio * 100)) %", at: 0)
        }
        if self.tally.failed > 0 { parts.append("\(NumberText.grouped(self.tally.failed)) failed") }
        return parts.joined(separator: "  ")
    }

    /// 0…1; `nil` if the input's size is not known.
    private var ratio: Double? {
        guard let totalBytes, totalBytes > 0 else { return nil }
        return min(1, Double(self.bytesRead) / Double(totalBytes))
    }
}
