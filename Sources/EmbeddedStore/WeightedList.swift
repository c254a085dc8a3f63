// SPDX-License-Identifier: Apache-2.0

/// Elements with weights, of which one is found by a position among all weights: a Fenwick tree.
///
/// Adding, weighing and finding take time in the logarithm of the number of elements.
struct WeightedList<Element> {
    private(set) var total = 0
    private var slots: [Element?] = []
    private var weights: [Int] = []
    /// At n − 1 the weights of the last `n & -n` elements up to the n-th.
    private var sums: [Int] = []
    private var free: [Int] = []

    var elements: some Sequence<Element> { self.slots.lazy.compactMap { $0 } }

    /// Adds an element of weight 0.
    ///
    /// - Returns: Its handle, until it is removed.
    mutating func add(_ element: Element) -> Int {
        if let handle = self.free.popLast() {
            self.slots[handle] = element
            return handle
        }
        self.slots.append(element)
        self.weights.append(0)
        let number = self.slots.count
        self.sums.append(self.sum(of: number - 1) - self.sum(of: number - (number & -number)))
        return number - 1
    }

    mutating func remove(_ handle: Int) {
        self.weigh(handle, 0)
        self.slots[handle] = nil
        self.free.append(handle)
    }

    /// - Parameter weight: 0 or more.
    mutating func weigh(_ handle: Int, _ weight: Int) {
        let change = weight - self.weights[handle]
        if change == 0 { return }
        self.weights[handle] = weight
        self.total += change
        var number = handle + 1
        while number <= self.sums.count {
            self.sums[number - 1] += change
            number += number & -number
        }
    }

    /// Finds the element that has a position, with the weights lined up behind each other.
    ///
    /// - Parameter position: 0 to `total` − 1.
    /// - Returns: The element, and how far the position lies in its weight.
    func find(_ position: Int) -> (element: Element, offset: Int)? {
        guard (0..<self.total).contains(position) else { return nil }
        var number = 0
        var rest = position
        var step = 1 << (Int.bitWidth - 1 - self.sums.count.leadingZeroBitCount)
        while step > 0 {
            if number + step <= self.sums.count, self.sums[number + step - 1] <= rest {
                number += step
                rest -= self.sums[number - 1]
            }
            step >>= 1
        }
        return self.slots[number].map { ($0, rest) }
    }

    private func sum(of count: Int) -> Int {
        var sum = 0
        var number = count
        while number > 0 {
            sum += self.sums[number - 1]
            number -= number & -number
        }
        return sum
    }
}
