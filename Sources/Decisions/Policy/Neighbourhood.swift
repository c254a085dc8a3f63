// SPDX-License-Identifier: Apache-2.0

package import CacheModel

#if canImport(Glibc)
import Glibc
#endif

/// What the entries nearest to a question say together about whose answer is right.
///
/// The nearest entry alone says little: of two questions with different answers one is always the nearer. That those
/// around it agree, and how much nearer they are than the first that does not, says more (see `README.md` of the
/// sources for figures).
package struct Neighbourhood: Sendable {
    package struct Member: Sendable, Hashable {
        /// Cosine, −1…1.
        package let similarity: Float
        package let cluster: AnswerCluster

        package init(similarity: Float, cluster: AnswerCluster) {
            self.similarity = similarity
            self.cluster = cluster
        }
    }

    /// What labels have said of a cluster.
    package struct History: Sendable, Hashable {
        package var right: Float
        package var wrong: Float

        package init(right: Float = 0, wrong: Float = 0) {
            self.right = right
            self.wrong = wrong
        }
    }

    package static let featureNames = [
        "similarity", "margin", "agreement_wide", "agreement", "agreement_narrow", "share_of_ten", "share",
        "margin_of_three", "log_odds", "fifth", "similarity_squared", "clusters", "right_rate", "is_nearest",
        "has_several", "similarity_margin",
    ]

    /// Of a different answer, where there is none.
    private static let noOther: Float = 0.3

    private let members: [Member]

    /// - Parameter members: Nearest first, at most ``Limits/maximumNeighbours``.
    package init(_ members: [Member]) { self.members = members }

    /// The cluster with the most votes, each the heavier the nearer; `nil` if there is nobody.
    package var leader: AnswerCluster? {
        var best = self.members.first?.cluster
        var most: Float = 0
        for cluster in self.clusters {
            let votes = self.votes(for: cluster, sharpness: 20)
            if votes > most { (best, most) = (cluster, votes) }
        }
        return best
    }

    /// Each once, by its nearest member: there are few.
    private var clusters: [AnswerCluster] {
        self.members.reduce(into: []) { if !$0.contains($1.cluster) { $0.append($1.cluster) } }
    }

    private func votes(for cluster: AnswerCluster?, sharpness: Float) -> Float {
        let nearest = self.members[0].similarity
        return self.members.reduce(0) { sum, member in
            guard cluster == nil || member.cluster == cluster else { return sum }
            return sum + expf(sharpness * (member.similarity - nearest))
        }
    }

    /// Features of a cluster, in the order of ``featureNames``; zeros if there is nobody.
    package func features(of cluster: AnswerCluster, history: History) -> [Float] {
        // Of a store that tells of no neighbours, as it does when they have all just gone.
        guard !self.members.isEmpty else { return [Float](repeating: 0, count: Self.featureNames.count) }
        let own = self.members.filter { $0.cluster == cluster }.map(\.similarity)
        let others = self.members.filter { $0.cluster != cluster }.map(\.similarity)
        let similarity = own.first ?? 0
        let margin = similarity - (others.first ?? Self.noOther)
        let ten = self.members.prefix(10).count { $0.cluster == cluster }
        func agreement(_ sharpness: Float) -> Float {
            self.votes(for: cluster, sharpness: sharpness) / self.votes(for: nil, sharpness: sharpness)
        }
        func mean(_ similarities: [Float]) -> Float? {
            let three = similarities.prefix(3)
            return three.isEmpty ? nil : three.reduce(0, +) / Float(three.count)
        }
        return [
            similarity, margin, agreement(10), agreement(20), agreement(40), Float(ten) / 10,
            Float(own.count) / Float(max(1, self.members.count)),
            (mean(own) ?? similarity) - (mean(others) ?? Self.noOther),
            logf((history.right + 1) / (history.wrong + 0.5)),
            self.members[min(4, self.members.count - 1)].similarity, similarity * similarity,
            Float(self.clusters.count) / Float(Limits.maximumNeighbours),
            logf((history.right + 1) / (history.right + history.wrong + 1.5)),
            self.members.first?.cluster == cluster ? 1 : 0, own.count > 1 ? 1 : 0, margin * similarity,
        ]
    }
}
