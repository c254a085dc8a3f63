// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Keys in the order in which they are asked for, and what each weighs.
struct RequestTrace {
    let name: String
    /// Each 0..<``weights``.count.
    let requests: [Int]
    /// Of each key.
    let weights: [Int]
    /// Keys that are asked for more than by a scan; sizes of caches are parts of their weight.
    let popular: Int

    /// Weight of all the keys that are no scan's.
    var popularWeight: Int { self.weights.prefix(self.popular).reduce(0, +) }

    /// Requests whose keys' popularity is that of Zipf's law.
    ///
    /// - Parameter exponent: 0 is uniform.
    static func zipf(_ exponent: Double, keys: Int, requests: Int) -> Self {
        var total = 0.0
        let sums = (1...keys).map { rank -> Double in
            total += pow(Double(rank), -exponent)
            return total
        }
        var random = SeededGenerator(seed: 1)
        let drawn = (0..<requests).map { _ in
            let point = Double(random.next() >> 11) * 0x1p-53 * total
            return min(sums.partitioningIndex { $0 > point }, keys - 1)
        }
        return Self(
            name: "Zipf \(exponent.text(1))", requests: drawn, weights: Array(repeating: 1, count: keys), popular: keys)
    }

    /// Reads a stream: one request per line, whose key is its last column, where columns are parted by tabs.
    ///
    /// The first line is a heading if it has more than one column.
    static func file(_ path: String) throws -> Self {
        guard let data = FileManager.default.contents(atPath: path) else { throw BenchError("\(path) cannot be read") }
        let lines = data.split(separator: UInt8(ascii: "\n")).map { $0.split(separator: UInt8(ascii: "\t")) }
        let hasHeading = (lines.first?.count ?? 0) > 1
        var numbers: [Data: Int] = [:]
        let requests = lines.dropFirst(hasHeading ? 1 : 0).compactMap { columns -> Int? in
            guard let key = columns.last else { return nil }
            return numbers[key]
                ?? {
                    numbers[key] = numbers.count
                    return numbers.count - 1
                }()
        }
        guard !requests.isEmpty else { throw BenchError("\(path) has no requests") }
        return Self(
            name: URL(fileURLWithPath: path).lastPathComponent, requests: requests,
            weights: Array(repeating: 1, count: numbers.count), popular: numbers.count)
    }

    /// The same with keys among them that are asked for once and never again.
    ///
    /// - Parameter share: Of them among the requests then, 0..<1.
    func mixed(withScan share: Double) -> Self {
        var random = SeededGenerator(seed: 2)
        var requests: [Int] = []
        var weights = self.weights
        for request in self.requests {
            while Double(random.uniform()) < share {
                requests.append(weights.count)
                weights.append(weights[Int(random.next() % UInt64(self.popular))])
            }
            requests.append(request)
        }
        return Self(
            name: "\(self.name), \((share * 100).text(0)) % once", requests: requests, weights: weights,
            popular: self.popular)
    }

    /// The same with weights as answers of language models have: most of some hundred bytes, some of many thousand.
    func withWeights() -> Self {
        var random = SeededGenerator(seed: 3)
        let weights = self.weights.map { _ in
            min(256 + Int(exp(7 + Double(random.gaussianPair().0))), 64 << 10)
        }
        return Self(name: "\(self.name), bytes", requests: self.requests, weights: weights, popular: self.popular)
    }
}

extension Array {
    /// The first index whose element, and every later one's, satisfies the condition.
    fileprivate func partitioningIndex(where belongsBehind: (Element) -> Bool) -> Int {
        var (low, high) = (self.startIndex, self.endIndex)
        while low < high {
            let middle = (low + high) / 2
            if belongsBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
