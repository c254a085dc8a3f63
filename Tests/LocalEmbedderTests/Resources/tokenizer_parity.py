#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes texts with the ids that Hugging Face `tokenizers` gives them, for the parity test of WordPieceTokenizer.

    python3 -m pip install tokenizers==0.23.3
    python3 tokenizer_parity.py <model folder> --write cases.ndjson [--questions questions.txt]
    python3 tokenizer_parity.py <model folder> --check tokenizer-cases.ndjson

The model folder holds tokenizer.json. Each line written is {"text": "...", "ids": [...]}, all of it ASCII. The seed is
fixed: the same arguments give the same file. `--check` says whether the ids of a file are still those of `tokenizers`.
"""

import argparse
import json
import random
import sys

import tokenizers

SEED = 20
QUESTIONS = 4000
MIXED = 4000
VOCABULARY = 3000
LONG = 200
# Planes 0 to 3 and the start of plane 14 hold nearly everything assigned: each of their code points is tried.
WHOLE = list(range(0, 0x40000)) + list(range(0xE0000, 0xE1000))
SPARSE = list(range(0x40000, 0x110000, 61))
SPECIALS = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]"]
POOLS = [
    range(0x20, 0x7F), range(0x00, 0x20), range(0x80, 0x250), range(0x300, 0x370), range(0x370, 0x600),
    range(0x900, 0xE80), range(0x1100, 0x1200), range(0x1E00, 0x2000), range(0x2000, 0x2100), range(0x3000, 0x3100),
    range(0x4E00, 0x4F00), range(0xAC00, 0xAD00), range(0xF900, 0xFB00), range(0xFE00, 0x10000),
    range(0x1D100, 0x1D200), range(0x1F300, 0x1F700), range(0x2F800, 0x2FA20), range(0, 0x110000),
]


def scalar(source, pool):
    while True:
        c = source.choice(pool)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def every_code_point():
    """Yields each code point between letters, where keeping, dropping, replacing and splitting all show."""
    points = [c for c in WHOLE + SPARSE if not 0xD800 <= c < 0xE000]
    for start in range(0, len(points), 80):
        yield " ".join("a" + chr(c) + "b" for c in points[start:start + 80])


def mixed(source):
    """Yields short texts of characters that meet each other in unlikely ways."""
    fragments = ["the", "ing ", " ", "un", "ly", "\n", "\r\n", "[", "]", "[CL", "[cls]", "##", "##ing",
                 "\u0130", "\u03a3"]
    for _ in range(MIXED):
        text = ""
        for _ in range(source.randint(0, 16)):
            kind = source.random()
            if kind < 0.5:
                text += scalar(source, source.choice(POOLS))
            elif kind < 0.9:
                text += source.choice(fragments)
            else:
                text += source.choice(SPECIALS)
        yield text


def of_vocabulary(source, vocabulary):
    """Yields texts of glued vocabulary entries, in changing case: words of several pieces and words that just fail."""
    for _ in range(VOCABULARY):
        words = []
        for _ in range(source.randint(1, 12)):
            pieces = [source.choice(vocabulary).removeprefix("##") for _ in range(source.randint(1, 4))]
            word = "".join(pieces)
            words.append(source.choice([word, word.upper(), word.title(), word + scalar(source, POOLS[3])]))
        yield source.choice([" ", " ", "\t", "-", "\u00a0"]).join(words)


def long(source, vocabulary):
    """Yields texts about the limits: 254 pieces, 100 scalars in a word, 64 KiB."""
    for count in (253, 254, 255, 300):
        yield "word " * count
        yield "embeddings " * (count // 2)
        yield "[MASK]" * count
    for count in (99, 100, 101, 200):
        for character in ("a", "\u00e9", "e\u0301", "\u200b", "\uac01", "\uac00", "\u0446", "\U0001d160", "\u5b57",
                          "[SEP]"):
            yield "x " + character * count + " y"
            yield character * count + "a" + character
    for unit in ("a", "\u00e9", " ", "\u200b", "\uac01", "!", "\u5b57", "x" * 100 + " ", "x" * 99 + "\u2603 "):
        yield unit * (65536 // len(unit.encode())) + " end"
    for _ in range(LONG):
        words = [source.choice(vocabulary).removeprefix("##") for _ in range(source.randint(100, 400))]
        yield "".join(word + source.choice(["", " ", " ", " ", ", "]) for word in words)


def questions(path, source, vocabulary):
    if path:
        with open(path, encoding="utf-8") as lines:
            return [line.rstrip("\n") for line, _ in zip(lines, range(QUESTIONS))]
    words = [word for word in vocabulary if word.isascii() and word.isalpha()]
    return [" ".join(source.choice(words) for _ in range(source.randint(3, 20))) + "?" for _ in range(QUESTIONS)]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("model")
    arguments.add_argument("--write", metavar="FILE")
    arguments.add_argument("--check", metavar="FILE")
    arguments.add_argument("--questions", metavar="FILE")
    options = arguments.parse_args()
    tokenizer = tokenizers.Tokenizer.from_file(options.model + "/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    if options.check:
        with open(options.check, encoding="utf-8") as lines:
            cases = [json.loads(line) for line in lines]
        wrong = [case["text"] for case in cases if tokenizer.encode(case["text"]).ids != case["ids"]]
        sys.exit(f"{len(wrong)} of {len(cases)} cases differ: {wrong[:3]}" if wrong else 0)
    if options.write:
        source = random.Random(SEED)
        vocabulary = sorted(tokenizer.get_vocab())
        texts = [*questions(options.questions, source, vocabulary), *every_code_point(), *mixed(source),
                 *of_vocabulary(source, vocabulary), *long(source, vocabulary)]
        with open(options.write, "w", encoding="ascii") as output:
            for text in texts:
                output.write(json.dumps({"text": text, "ids": tokenizer.encode(text).ids}) + "\n")
        print(f"{len(texts)} cases by tokenizers {tokenizers.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
