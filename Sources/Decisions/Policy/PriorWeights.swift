// SPDX-License-Identifier: Apache-2.0

// Made by `Tests/DecisionStreamTests/PriorFitting.swift`; not edited. From 9338 labels, 4459 of
// them right: questions of Disfl-QA (CC BY 4.0) with their spoken forms, and pairs derived from them and from
// Natural Questions (CC BY-SA 3.0) by changing words.
extension RiskModel {
    /// What is known before a cache has labels of its own.
    package static let prior = RiskModel(
        weights: [
            -1.4545, -0.0184, 0.0185, 0.0631, 0.3224, 0.2407, -0.6756, -0.2174, 0.1418, -0.1812,
            0.2092, -0.3423, -0.5542, 0.2750, -0.0030, -1.4854, -0.0422, -0.8719, -0.1593, -1.3833,
            -0.1712, -1.2053, -0.6730, -1.0686, 2.3757, 0.1684, 0.4709, -1.1533, -0.5364, -0.6475,
        ])
}

extension Scaling {
    /// Of the features of the prior's labels.
    package static let shipped = Scaling(
        means: [
            0.7982, 0.1742, 0.4828, 0.7504, 0.8763, 0.1186, 0.0375, 0.2155, 0.3813, 0.5163,
            0.6576, 0.8267, -0.5737, 0.9710, 0.1940, 0.1504, 0.0448, 0.1541, 0.0181, 0.0464,
            0.0389, 0.0105, 0.0015, 0.5390, 0.4989, 0.5306, 0.7246, 0.5365, 0.5119,
        ],
        deviations: [
            0.1431, 0.1474, 0.2608, 0.2659, 0.1997, 0.1000, 0.1000, 0.1491, 0.6701, 0.1199,
            0.2200, 0.1000, 0.3363, 0.1679, 0.3955, 0.1388, 0.2068, 0.3610, 0.1333, 0.2103,
            0.1933, 0.1019, 0.1000, 0.2725, 0.2673, 0.2883, 0.1632, 0.3734, 0.3768,
        ])
}
