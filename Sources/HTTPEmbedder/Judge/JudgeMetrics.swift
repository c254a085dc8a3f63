// SPDX-License-Identifier: Apache-2.0

import CoreMetrics

/// What is measured of a judge beside its requests (``ProviderMetrics``). The handles are made once.
struct JudgeMetrics: Sendable {
    private let same: Counter
    private let different: Counter
    private let none: Counter
    private let remembered: Counter

    /// - Parameter judge: Its name in the settings.
    init(judge: String, _ factory: any MetricsFactory) {
        func opinions(_ opinion: String) -> Counter {
            Counter(
                label: "semcache_judge_opinions_total", dimensions: [("judge", judge), ("opinion", opinion)],
                factory: factory)
        }
        self.same = opinions("same")
        self.different = opinions("different")
        self.none = opinions("none")
        self.remembered = Counter(
            label: "semcache_judge_remembered_total", dimensions: [("judge", judge)], factory: factory)
    }

    /// Each caller is told one.
    func countOpinion(_ isSame: Bool?) {
        switch isSame {
        case true?: self.same.increment()
        case false?: self.different.increment()
        case nil: self.none.increment()
        }
    }

    func countRemembered() { self.remembered.increment() }
}
