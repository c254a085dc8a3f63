# SPDX-License-Identifier: Apache-2.0
"""What the encoder has to reach, and whether a run shows it."""
import statistics

INT8_PEERS = ["onnxruntime-int8", "openvino-int8", "ctranslate2-int8"]
ALL_PEERS = INT8_PEERS + ["onnxruntime-fp32", "torch-fp32"]
#: Least mean cosine to torch by which a peer's model is believed to have been converted rightly.
CONVERTED = {
    "onnxruntime-fp32": 0.999999, "sentence-transformers": 0.999999, "onnxruntime-int8": 0.985, "openvino-int8": 0.985,
    "ctranslate2-int8": 0.985,
}


class Ratios:
    """How many times quicker ours is, by rounds: what else the machine did hit both alike within a round."""

    def __init__(self, medians):
        """medians: by (engine, shape) the median time of each round."""
        self.medians = medians

    def of(self, ours, peers, shape):
        """Against the quickest of the peers in each round; None if one of them was not measured."""
        own = self.medians.get((ours, shape))
        others = [self.medians[peer, shape] for peer in peers if (peer, shape) in self.medians]
        if own is None or len(others) < len(peers):
            return None
        return [min(times) / mine for mine, times in zip(own, zip(*others))]


def text(ratios):
    if ratios is None:
        return "–"
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def speed_goals(ratios):
    """Lines of a table: the goal, what was reached, whether it is enough."""
    fp32 = ["onnxruntime-fp32"]
    goals = [
        ("int16, 12 tokens: × onnxruntime fp32", 2.5, "ours-int16", fp32, [(1, 12)]),
        ("int16, 12 tokens: × torch fp32", 8, "ours-int16", ["torch-fp32"], [(1, 12)]),
        ("int16, 12 tokens: × CTranslate2 int8", 1.25, "ours-int16", ["ctranslate2-int8"], [(1, 12)]),
        ("int8, 12 tokens: × onnxruntime fp32", 4, "ours-int8", fp32, [(1, 12)]),
        ("int8, 12 tokens: × the quickest int8 peer", 2, "ours-int8", INT8_PEERS, [(1, 12)]),
        ("int16, 8–64 tokens, the least: × onnxruntime fp32", 2.2, "ours-int16", fp32,
         [(1, tokens) for tokens in (8, 12, 16, 32, 64)]),
        ("int16, 128 tokens: × onnxruntime fp32", 2, "ours-int16", fp32, [(1, 128)]),
        ("int16, 16 mixed questions: × onnxruntime fp32", 2.5, "ours-int16", fp32, [(16, "mixed")]),
        ("int8, 16 mixed questions: × the quickest peer", 1.4, "ours-int8", ALL_PEERS, [(16, "mixed")]),
    ]
    for name, least, ours, peers, shapes in goals:
        measured = [ratios.of(ours, peers, shape) for shape in shapes]
        if None in measured:
            yield name, f"≥ {least}", "–", "not measured"
            continue
        worst = min(measured, key=statistics.median)
        yield name, f"≥ {least}", text(worst), verdict(statistics.median(worst) >= least)
    stretch = ratios.medians.get(("ours-int8", (1, 12)))
    name = "stretch: int8, 12 tokens, ms"
    if stretch is None:
        yield name, "≤ 0.45", "–", "not measured"
    else:
        value = statistics.median(stretch) / 1e6
        yield name, "≤ 0.45", f"{value:.3f}", verdict(value <= 0.45)


def cosine_goals(cosines):
    """cosines: by engine, of all texts to torch's vectors."""
    for name, ours, least, which, of in [
        ("int16: least cosine to torch", "ours-int16", 0.9999, min, "min"),
        ("int8: mean cosine to torch", "ours-int8", 0.998, statistics.fmean, "mean"),
    ]:
        if ours not in cosines:
            yield name, f"≥ {least}", "–", "not measured"
        else:
            value = which(cosines[ours])
            yield name, f"≥ {least}", f"{value:.7f}", verdict(value >= least)


def verdict(is_reached):
    return "reached" if is_reached else "**missed**"


def wrong_peers(cosines):
    """Peers whose vectors show that something went wrong with their model: comparing with them would be no use."""
    for name, least in CONVERTED.items():
        if name in cosines and statistics.fmean(cosines[name]) < least:
            mean = statistics.fmean(cosines[name])
            yield f"{name} has a mean cosine of {mean:.6f} to torch, expected {least} or more"
