// SPDX-License-Identifier: Apache-2.0

/// A metric that is read when it is asked for, with a series for each set of labels.
package struct FigureFamily: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case counter
        case gauge
    }

    package struct Label: Sendable, Hashable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct Sample: Sendable, Equatable {
        package let labels: [Label]
        package let value: Double

        package init(labels: [Label], value: Double) {
            self.labels = labels
            self.value = value
        }
    }

    package let name: String
    /// What it says, in a sentence without the full stop.
    package let help: String
    package let kind: Kind
    package let samples: [Sample]

    package init(_ name: String, _ help: String, _ kind: Kind, _ samples: [Sample]) {
        self.name = name
        self.help = help
        self.kind = kind
        self.samples = samples
    }
}
