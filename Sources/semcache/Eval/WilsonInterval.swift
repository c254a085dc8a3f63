// SPDX-License-Identifier: Apache-2.0

/// A share, and where the one that it is a sample of lies with 95 % confidence: Wilson's score interval, which also holds
/// for few cases and for shares near 0 and 1.
struct WilsonInterval: Sendable, Equatable {
    let count: Int
    let total: Int

    /// Of the normal distribution, two-sided 95 %.
    private static let z = 1.959_963_984_540_054

    /// - Parameters:
    ///   - count: 0…total.
    ///   - total: Of nothing, anything may be true.
    init(_ count: Int, of total: Int) {
        self.count = count
        self.total = total
    }

    /// 0…1; 0 of nothing.
    var share: Double { self.total == 0 ? 0 : Double(self.count) / Double(self.total) }

    /// 0…``share``.
    var low: Double { self.count == 0 ? 0 : max(0, self.center - self.halfWidth) }

    /// ``share``…1.
    var high: Double { self.count == self.total ? 1 : min(1, self.center + self.halfWidth) }

    private var scale: Double { 1 + Self.z * Self.z / Double(max(1, self.total)) }

    private var center: Double {
        (self.share + Self.z * Self.z / (2 * Double(max(1, self.total)))) / self.scale
    }

    private var halfWidth: Double {
        let total = Double(max(1, self.total))
        let variance = self.share * (1 - self.share) / total + Self.z * Self.z / (4 * total * total)
        return Self.z * variance.squareRoot() / self.scale
    }
}

extension WilsonInterval {
    /// Such as `0.8-1.2 %`; a dash of nothing.
    var text: String {
        guard self.total > 0 else { return "-" }
        return "\(NumberText.fixed(self.low * 100, digits: 2))-\(NumberText.fixed(self.high * 100, digits: 2)) %"
    }

    /// Such as `0.99 %`; a dash of nothing.
    var shareText: String { self.total == 0 ? "-" : ShareText.text(self.share) }
}

struct WilsonObject: Encodable, Equatable {
    let count: Int
    let share: Double
    let low: Double
    let high: Double

    init(_ interval: WilsonInterval) {
        self.count = interval.count
        self.share = interval.share
        self.low = interval.low
        self.high = interval.high
    }
}
