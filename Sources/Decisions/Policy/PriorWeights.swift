// SPDX-License-Identifier: Apache-2.0

// Made by `Tests/DecisionStreamTests/PriorFitting.swift`; not edited. From 9338 labels, 4459 of
// them right: questions of Disfl-QA (CC BY 4.0) with their spoken forms, and pairs derived from them and from
// Natural Questions (CC BY-SA 3.0) by changing words.
extension RiskModel {
    /// What is known before a cache has labels of its own.
    package static let prior = RiskModel(
        weights: [
            -1.4572, -0.0133, 0.0093, 0.0747, 0.3110, 0.2437, -0.6775, -0.2179, 0.1452, -0.1848,
            0.2021, -0.3341, -0.5626, 0.2721, 0.0124, -1.4895, -0.0416, -0.8729, -0.2097, -1.3862,
            -0.1712, -1.2041, -0.6811, -1.0729, 2.3804, 0.1732, 0.4607, -1.1400, -0.5272, -0.6364,
        ])
}

extension Scaling {
    /// Of the features of the prior's labels.
    package static let shipped = Scaling(
        means: [
            0.7982, 0.1742, 0.4828, 0.7504, 0.8764, 0.1186, 0.0375, 0.2155, 0.3813, 0.5163,
            0.6575, 0.8267, -0.5737, 0.9710, 0.1940, 0.1504, 0.0440, 0.1494, 0.0181, 0.0412,
            0.0362, 0.0105, 0.0015, 0.5391, 0.4999, 0.5319, 0.7249, 0.5356, 0.5120,
        ],
        deviations: [
            0.1431, 0.1474, 0.2608, 0.2659, 0.1996, 0.1000, 0.1000, 0.1491, 0.6701, 0.1199,
            0.2200, 0.1000, 0.3363, 0.1679, 0.3955, 0.1388, 0.2051, 0.3565, 0.1333, 0.1988,
            0.1868, 0.1019, 0.1000, 0.2725, 0.2662, 0.2869, 0.1630, 0.3733, 0.3766,
        ])
}
