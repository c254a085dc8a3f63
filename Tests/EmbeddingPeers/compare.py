# SPDX-License-Identifier: Apache-2.0
"""Compares our encoder with other runtimes: same weights, same texts, one thread of one core each, in turns in one run.

    Tests/EmbeddingPeers/run [options]

`run` builds our side, makes a virtual environment of some 6 GB and the peers' models in .cache, and calls this. Every
runtime is a process of its own, bound to one core, that times itself and is asked one after the other: in each round
every one encodes the same ids of the same shape before the next shape comes, in an order that turns round with the
rounds. A call is from ids to vectors of unit length, with pooling; only "text to vector" has the tokenizer in it.
Making the peers' matrices and tensors of the ids is not in their times; ours takes the ids as they are.

Prints Markdown: times (the median of each round's median), ratios (median of the rounds, and least and most of them),
cosines to torch's vectors, and the goals. Compare ratios, not times: what else the machine does is in the times, and in
the least and most of the ratios. Times under 1 ms, and those of torch and sentence-transformers, vary most from run to
run; batches of long texts take one call a round, so that one disturbance shows. On a machine that has other work ratios
flatter whoever needs less time than the scheduler's slice: --quickest is less wrong there, but it is no p50.

Who the peers are: onnxruntime's models went through its own optimizer of transformers (attention fused); its int8 is
dynamic quantisation per channel. OpenVINO's int8 is nncf's static quantisation of a transformer, calibrated on 250
texts, and it may use bfloat16 for the rest where the processor has it. CTranslate2 quantises its weights, and
activations by token. All of them take what shapes come: nothing is compiled for one length.
"""
import argparse
import os
import platform
import statistics
import sys
from importlib import metadata

import numpy

import engines
import goals
import texts

LENGTHS = [8, 12, 16, 32, 64, 128, 256]
BATCHES = [1, 16]
TEXT_TOKENS = 12


def parse():
    parser = argparse.ArgumentParser(description="Compares our encoder with other runtimes.")
    parser.add_argument("--bench", required=True, help="our semcache-bench, built for release")
    parser.add_argument("--model", required=True, help="the folder of the model")
    parser.add_argument("--converted", required=True, help="the folder that convert.py has filled")
    parser.add_argument("--texts", help="a file of texts, one per line; those of the tests if not given")
    parser.add_argument("--rounds", type=int, default=15, help="one more before them is not counted")
    parser.add_argument("--milliseconds", type=float, default=40, help="of one turn of one runtime, at least one call")
    parser.add_argument("--quickest", action="store_true", help="takes the quickest call of a turn, not the median")
    parser.add_argument("--compared", type=int, default=4000, help="texts whose vectors are compared, at most")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="where all of them run")
    parser.add_argument("--isa", help="a path of our kernels; the best if not given")
    options = parser.parse_args()
    if options.rounds < 1 or options.milliseconds <= 0 or options.compared < 1:
        parser.error("rounds, milliseconds and compared texts are positive")
    return options


def measure(everyone, shapes, make_inputs, options, key="ids"):
    """By (engine, shape), the median (or quickest) time of each round, nanoseconds."""
    medians, calls = {}, {}
    for number in range(options.rounds + 1):
        for shape in shapes:
            inputs = make_inputs(shape, number)
            for engine in everyone if number % 2 else reversed(everyone):
                place = engine.name, shape
                if number == 0:
                    # Warms up, and says how many calls a turn has.
                    time = statistics.median(engine.times(inputs, 2, key))
                    calls[place] = int(min(50, max(1, options.milliseconds * 1e6 / time)))
                else:
                    times = engine.times(inputs, calls[place], key)
                    typical = min(times) if options.quickest else statistics.median(times)
                    medians.setdefault(place, []).append(typical)
        print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
    return medians


def compare(everyone, coded, sources):
    """By engine, the cosine of each text's vector to torch's; a text at a time, so that there is no padding."""
    reference = next(e for e in everyone if e.name == engines.REFERENCE)
    expected = numpy.array([reference.vectors([ids])[0] for ids in coded])
    cosines = {}
    for engine in everyone:
        if engine is reference:
            continue
        print(f"vectors of {engine.name}", file=sys.stderr, flush=True)
        if engine.name == engines.OF_TEXTS:
            vectors = [engine.vectors([text], "texts")[0] for text in sources]
        else:
            vectors = [engine.vectors([ids])[0] for ids in coded]
        cosines[engine.name] = (numpy.array(vectors) * expected).sum(axis=1).tolist()
    return cosines


def table(title, columns, rows):
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def name_of(shape):
    batch, tokens = shape
    return f"{batch} × {tokens}" if batch > 1 else f"{tokens} tok"


def print_times(names, medians):
    def rows(shapes, value):
        return [[name] + [value(shape, statistics.median(medians[name, shape])) for shape in shapes] for name in names]

    alone = [(1, tokens) for tokens in LENGTHS]
    table("One text, ids to vector, p50 in ms:", ["runtime"] + [name_of(s) for s in alone],
          rows(alone, lambda shape, time: f"{time / 1e6:.3f}"))
    for batch in BATCHES[1:]:
        shapes = [(batch, tokens) for tokens in LENGTHS + ["mixed"]]
        table(f"Batches of {batch}, texts per second (mixed: questions as they come, of 6 to 48 tokens):",
              ["runtime"] + [name_of(s) for s in shapes],
              rows(shapes, lambda shape, time: f"{shape[0] * 1e9 / time:,.0f}"))


def print_ratios(names, ratios, shapes):
    for ours in [name for name in names if name in ("ours-int16", "ours-int8")]:
        peers = [name for name in names if name not in engines.OURS]
        table(f"How many times quicker {ours} is: median of the rounds (least–most):",
              ["than"] + [name_of(s) for s in shapes],
              [[peer] + [goals.text(ratios.of(ours, [peer], shape)) for shape in shapes] for peer in peers])


def print_machine(options, before, kernels):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        processor = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    packages = ["onnxruntime", "openvino", "nncf", "ctranslate2", "torch", "transformers", "sentence-transformers"]
    print(f"{processor}, {os.cpu_count()} cores, all on core {options.core}; Python {platform.python_version()}, "
          + ", ".join(f"{package} {metadata.version(package)}" for package in packages)
          + f"; our kernels {kernels}; {options.rounds} rounds of {options.milliseconds:g} ms, "
          f"{'quickest' if options.quickest else 'median'} call of each; "
          f"load average {before[0]:.2f} at the start, {os.getloadavg()[0]:.2f} at the end (one is this run itself)")


def main():
    options, before = parse(), os.getloadavg()
    # Whoever asks does not sit where is measured.
    os.sched_setaffinity(0, (os.sched_getaffinity(0) - {options.core}) or {options.core})
    sources = texts.read(options.texts) if options.texts else texts.committed()
    tokenizer = texts.tokenizer(options.model)
    inputs = texts.Inputs([tokenizer.encode(text).ids for text in sources])
    questions = [text for text in sources if len(tokenizer.encode(text).ids) == TEXT_TOKENS]
    if not questions or not inputs.short or len(inputs.words) < 10 * max(LENGTHS):
        raise SystemExit(f"{options.texts} has too few texts")
    everyone = engines.start(options)
    takers = [engine for engine in everyone if engine.name != engines.OF_TEXTS]
    shapes = [(batch, tokens) for batch in BATCHES for tokens in LENGTHS] + [(b, "mixed") for b in BATCHES[1:]]

    def ids(shape, number):
        batch, tokens = shape
        return inputs.mixed(batch, number) if tokens == "mixed" else inputs.equal(batch, tokens, number)

    medians = measure(takers, shapes, ids, options)
    of_texts = measure(
        [e for e in everyone if e.name == engines.OF_TEXTS or e.name in engines.OURS], [(1, TEXT_TOKENS)],
        lambda shape, number: [questions[number % len(questions)]], options, "texts")
    step = max(1, len(sources) // options.compared)
    compared = sources[::step][:options.compared]
    cosines = compare(everyone, [tokenizer.encode(text).ids for text in compared], compared)
    for engine in everyone:
        engine.close()

    print_machine(options, before, everyone[0].greeting["kernels"])
    names, ratios = [engine.name for engine in takers], goals.Ratios(medians)
    print_times(names, medians)
    shape = 1, TEXT_TOKENS
    table(f"Text to vector, a question of {TEXT_TOKENS} tokens, tokenizer included:",
          ["runtime", "p50 ms", "ours-int16 is × quicker"],
          [[name, f"{statistics.median(times) / 1e6:.3f}",
            goals.text(goals.Ratios(of_texts).of("ours-int16", [name], shape))]
           for (name, _), times in of_texts.items()])
    table(f"Cosine to the vectors of torch fp32, {len(compared)} texts, one at a time:", ["runtime", "mean", "min"],
          [[name, f"{statistics.fmean(values):.7f}", f"{min(values):.6f}"] for name, values in cosines.items()])
    print_ratios(names, ratios, shapes)
    table("Goals, of this run:", ["goal", "at least", "measured", ""],
          [list(line) for line in [*goals.speed_goals(ratios), *goals.cosine_goals(cosines)]])
    wrong = list(goals.wrong_peers(cosines))
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
