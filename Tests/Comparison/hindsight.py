# SPDX-License-Identifier: Apache-2.0
"""The static threshold that would have been best, had one known the stream beforehand."""

import numpy

THRESHOLDS = numpy.round(numpy.arange(0.60, 0.9901, 0.01), 2)


def sweep(stream, vectors):
    """For each threshold: hits and wrong hits. All thresholds are played side by side, each with entries of its own."""
    count, hits, wrong = len(stream.questions), [0] * len(THRESHOLDS), [0] * len(THRESHOLDS)
    # Where each threshold's entries are among the questions so far.
    stored = numpy.zeros((len(THRESHOLDS), count), bool)
    for position in range(count):
        similarities = vectors[:position] @ vectors[position] if position else numpy.empty(0, numpy.float32)
        # Only what is near enough for the lowest threshold can answer, nearest first.
        near = numpy.flatnonzero(similarities >= THRESHOLDS[0])
        near = near[numpy.argsort(-similarities[near], kind="stable")]
        for number, threshold in enumerate(THRESHOLDS):
            mine = near[stored[number, near]]
            if len(mine) and similarities[mine[0]] >= threshold:
                hits[number] += 1
                wrong[number] += 0 if stream.agree(position, int(mine[0])) else 1
            else:
                stored[number, position] = True
    return hits, wrong


def best(hits, wrong, lookups, budget):
    """The threshold with the most hits whose share of wrong answers among lookups keeps the budget; None if there is none."""
    kept = [number for number in range(len(THRESHOLDS)) if wrong[number] <= budget * lookups]
    return max(kept, key=lambda number: hits[number], default=None)
