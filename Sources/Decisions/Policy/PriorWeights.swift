// SPDX-License-Identifier: Apache-2.0

// Made by `Tests/DecisionStreamTests/PriorFitting.swift`; not edited. From 13315 labels, 4742 of
// them right: questions of Disfl-QA (CC BY 4.0) with their spoken forms, and pairs derived from them and from
// Natural Questions (CC BY-SA 3.0) by changing words.
extension RiskModel {
    /// What is known before a cache has labels of its own.
    package static let prior = RiskModel(
        weights: [
            -2.6589, -0.0262, 0.0600, 0.1262, 0.2551, 0.4433, -0.5453, -0.1742, 0.0316, -0.1425,
            -0.0687, -0.2906, -0.8297, 0.1647, -0.0024, -1.3547, 0.1318, -1.3391, -0.2333, -1.4322,
            -0.0770, -1.4402, -0.9223, -1.2813, 3.0555, -0.4992, 0.2972, -1.0065, -0.4496, -0.5221,
        ])
}

extension Scaling {
    /// Of the features of the prior's labels.
    package static let shipped = Scaling(
        means: [
            0.8010, 0.1629, 0.4555, 0.7225, 0.8590, 0.1174, 0.0370, 0.2027, 0.3914, 0.5358,
            0.6622, 0.8458, -0.5644, 0.9657, 0.1814, 0.1409, 0.0708, 0.1613, 0.0395, 0.0302,
            0.0568, 0.0280, 0.0102, 0.5333, 0.5340, 0.5521, 0.7619, 0.5009, 0.4836,
        ],
        deviations: [
            0.1437, 0.1464, 0.2612, 0.2735, 0.2104, 0.1000, 0.1000, 0.1477, 0.6340, 0.1312,
            0.2219, 0.1000, 0.3173, 0.1821, 0.3854, 0.1377, 0.2565, 0.3678, 0.1948, 0.1711,
            0.2314, 0.1650, 0.1005, 0.2773, 0.2882, 0.3019, 0.1780, 0.3742, 0.3689,
        ])
}
