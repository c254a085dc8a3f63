# SPDX-License-Identifier: Apache-2.0
"""Compares semantic caches on a labelled stream: how often each answers, and how often wrongly.

Each question is looked up; where a cache has no answer, that of the question's label is stored. All get the questions in
the same order, and the peers get the vectors that Semcached made of them, of its normalised texts where it normalises.
Semcached itself is played by `semcache eval`, over the network, and learns from what is stored only.
"""

import argparse
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import hindsight
import peers
import service
import stream as streams


def interval(count, total):
    """Wilson's, 95 %, in percent."""
    if total == 0:
        return "-"
    z, share = 1.959963984540054, count / total
    scale = 1 + z * z / total
    center = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return f"{100 * max(0, center - half):.2f}-{100 * min(1, center + half):.2f}"


def row(tally):
    def share(count, total):
        return f"{100 * count / total:.2f}" if total else "-"

    return [tally.name, share(tally.hits, tally.lookups), share(tally.wrong, tally.lookups),
            interval(tally.wrong, tally.lookups), share(tally.wrong, tally.hits), interval(tally.wrong, tally.hits),
            f"{tally.seconds:.0f}", tally.note]


def timed(make):
    print(f"… {make.__name__}", file=sys.stderr)
    start = time.monotonic()
    tallies = make()
    for tally in tallies:
        tally.seconds = time.monotonic() - start
    return tallies


def as_share(percentage):
    """0…1, of 0.01 or 1%."""
    return float(percentage.rstrip("%")) / (100 if percentage.endswith("%") else 1)


class Redis:
    """A Redis of one's own as long as the block lasts; none without a program."""

    def __init__(self, program, folder):
        self._program, self._folder, self.url = program, folder, None

    def __enter__(self):
        if self._program:
            socket = f"{self._folder}/redis.sock"
            self._process = subprocess.Popen(
                [self._program, "--port", "0", "--unixsocket", socket, "--dir", self._folder, "--save", ""],
                stdout=subprocess.DEVNULL)
            deadline = time.monotonic() + 20
            while not pathlib.Path(socket).exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            self.url = f"unix://{socket}"
        return self

    def __exit__(self, *_):
        if self._program:
            self._process.terminate()
            self._process.wait()


def semcached_tallies(options, budgets, stream_file, folder):
    tallies = []
    for budget in budgets:
        # The cap on wrong answers per hit, 3 % by default, would be what counts with a large budget.
        cap = max(3.0, 200 * as_share(budget))
        settings = [f"cache.error_budget={budget}", f"cache.wrong_hit_limit={cap:g}%"]
        with service.Service(folder, options.bin, options.model, settings) as running:
            start = time.monotonic()
            report = service.evaluated(running, options.bin, stream_file)
        whole, decisions = report["whole"], report["orders"][0].get("decisions") or {}
        tally = peers.Tally(
            f"Semcached, budget {budget}",
            f"phase at the end: {decisions.get('phase', 'not told')}; at most {cap:g} % of hits")
        tally.lookups, tally.hits = whole["lookups"], whole["hits"]["count"]
        tally.wrong = whole["wrong_per_lookup"]["count"]
        tally.seconds = time.monotonic() - start
        tallies.append(tally)
    return tallies


def hindsight_tallies(stream, vectors, budgets):
    hits, wrong = hindsight.sweep(stream, vectors)
    tallies = []
    for budget in budgets:
        number = hindsight.best(hits, wrong, len(stream.questions), as_share(budget))
        if number is None:
            continue
        tally = peers.Tally(f"best threshold for {budget}", f"in hindsight: {hindsight.THRESHOLDS[number]:.2f}")
        tally.lookups, tally.hits, tally.wrong = len(stream.questions), hits[number], wrong[number]
        tallies.append(tally)
    return tallies


def compare(options, folder):
    stream = streams.read(options.stream).shuffled(options.order, options.limit)
    budgets, only = options.budgets.split(","), options.only.split(",")
    stream_file = pathlib.Path(folder) / "stream"
    stream.write(stream_file)
    tallies = []
    if "semcached" in only:
        tallies += semcached_tallies(options, budgets, stream_file, folder)
    if set(only) - {"semcached"}:
        with service.Service(folder, options.bin, options.model, []) as running:
            vectors = service.vectors(running, stream.questions)
        with Redis(options.redis_server, folder) as redis:
            makers = {
                "hindsight": lambda: hindsight_tallies(stream, vectors, budgets),
                "gptcache": lambda: [peers.gptcache(stream, vectors)],
                "redisvl": lambda: [peers.redisvl(stream, vectors, redis.url)],
            }
            for name, make in makers.items():
                if name in only:
                    make.__name__ = name
                    tallies += timed(make)
    return stream, tallies


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stream", help="lines question<TAB>label after a header, or NDJSON of prompt and response")
    parser.add_argument("--limit", type=int, help="questions to play at most")
    parser.add_argument("--order", type=int, default=1, help="0: that of the file; each other one is shuffled by its number")
    parser.add_argument("--budgets", default="1%,2%,5%", help="error budgets, wrong answers per lookup")
    parser.add_argument("--only", default="semcached,gptcache,redisvl,hindsight", help="which of them")
    parser.add_argument("--bin", required=True, help="folder of semcached and semcache")
    parser.add_argument("--model", required=True, help="folder of the embedding model")
    parser.add_argument("--redis-server", default="", help="program, for redisvl")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="comparison-")
    try:
        stream, tallies = compare(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(stream.questions)} questions of {pathlib.Path(options.stream).name}, order {options.order}; shares in %\n")
    header = ["cache", "hits", "wrong/lookup", "95 %", "wrong/hit", "95 %", "seconds", "how"]
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for tally in tallies:
        print("| " + " | ".join(row(tally)) + " |")


if __name__ == "__main__":
    main()
