// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension ContinuousClock.Instant {
    /// A little before this, the deadline of a call: who waits until then for something can still answer in time. What a
    /// judge or a maker of answers was late with would otherwise be a call that came too late.
    func leavingTimeToAnswer(from now: Self) -> Self { self - min(Limits.answerTime, max(.zero, self - now) / 10) }
}
