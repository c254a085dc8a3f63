// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// How long a worker takes for a text, learnt from the last batches.
///
/// The slowest batch does not count: one that hung, or waited for a provider's patience, says little of the next. Two of
/// them do, and weigh less with each batch that comes after them.
struct ServiceTime {
    private struct Sample {
        let texts: Int
        let seconds: Double

        var secondsPerText: Double { self.seconds / Double(self.texts) }
    }

    /// The oldest is at `next` once there are as many as are kept.
    private var samples: [Sample] = []
    private var next = 0
    /// `nil` while too little is known.
    private(set) var secondsPerText: Double?

    /// - Parameter texts: At least 1.
    mutating func note(texts: Int, took duration: Duration) {
        let sample = Sample(texts: texts, seconds: max(0, duration / .seconds(1)))
        if self.samples.count < Limits.embeddingTimes {
            self.samples.append(sample)
        } else {
            self.samples[self.next] = sample
            self.next = (self.next + 1) % Limits.embeddingTimes
        }
        guard self.samples.count >= Limits.embeddingTimesNeeded else { return }
        var (texts, seconds, slowest) = (0, 0.0, sample)
        for sample in self.samples {
            texts += sample.texts
            seconds += sample.seconds
            if sample.secondsPerText > slowest.secondsPerText { slowest = sample }
        }
        self.secondsPerText = max(0, seconds - slowest.seconds) / Double(texts - slowest.texts)
    }

    /// How many texts may come before one that is to be done within a time: it waits until a worker has ended a batch, then
    /// for them, and then until its own batch ends.
    ///
    /// - Parameter batch: Texts of a batch.
    /// - Returns: `nil` while that is not known.
    func texts(within time: Duration, workers: Int, batch: Int) -> Int? {
        guard let secondsPerText, secondsPerText > 0 else { return nil }
        let seconds = max(0, time / .seconds(1) - 2 * Double(batch) * secondsPerText)
        return Int(min(Double(Int32.max), seconds * Double(workers) / secondsPerText))
    }
}
