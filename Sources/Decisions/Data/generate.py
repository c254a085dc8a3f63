#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the word tables beside it: how rare a word is, which words are opposites, which mean the same.

    python3 generate.py <WordNet 3.0 folder> <questions.txt>

The folder holds WordNet's `data.*` and `index.*` (Debian: wordnet-base, /usr/share/wordnet; the WordNet licence, which
allows any use with its notice: see LICENSE.WordNet). questions.txt has a question per line, without labels; only counts
of words are kept of it.
"""

import collections
import math
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
WIDTH = 112
NOTED_WORDS = 3000
# An opposite that a prefix makes (legal, illegal) is found by rule, and needs no line.
# Opposites by the book that people use for one another, or that few mean by the word.
NO_OPPOSITES = {("come", "go"), ("level", "raise"), ("go", "stop"), ("give", "take"), ("lack", "have"), ("have", "lack")}
PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "de", "anti", "a", "an", "mis")


def stem(word):
    """What Stem.swift does."""
    if not word.isascii():
        return word
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 4 and word.endswith("ied"):
        word = word[:-3] + "y"
    elif len(word) > 5 and word.endswith("ing"):
        word = word[:-3]
    elif len(word) > 4 and word.endswith(("ed", "es")):
        word = word[:-2]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word


def rarity(questions):
    count, texts = collections.Counter(), 0
    for line in open(questions, encoding="utf-8"):
        texts += 1
        text = line.lower().replace("\u2019", "'")
        words = re.findall(r"[a-z][a-z']*", text)
        count.update({stem(re.sub(r"(n't|'[a-z]*)$", "", word)) for word in words})
    count.pop("", None)
    steps = collections.defaultdict(list)
    for word, documents in count.most_common(NOTED_WORDS):
        if len(word) > 1:
            steps[round(4 * math.log((texts + 1) / (documents + 0.5)))].append(word)
    return count, [f"{step} " + " ".join(sorted(steps[step])) for step in sorted(steps)]


def wordnet(folder):
    """Synsets as (words, antonym pointers), and each word's senses in order of use."""
    synsets, senses = {}, {}
    for part in ("adj", "adv", "noun", "verb"):
        for line in open(folder / f"data.{part}", encoding="utf-8"):
            if line.startswith(" "):
                continue
            field = line.split("|")[0].split()
            size = int(field[3], 16)
            words = [re.sub(r"\(.*\)", "", field[4 + 2 * at]).lower() for at in range(size)]
            at = 4 + 2 * size
            pointers = [field[at + 1 + 4 * k: at + 5 + 4 * k] for k in range(int(field[at]))]
            synsets[part, field[0]] = (words, pointers)
        for line in open(folder / f"index.{part}", encoding="utf-8"):
            if line.startswith(" "):
                continue
            field = line.split()
            senses[part, field[0]] = field[-int(field[2]):]
    return synsets, senses


def opposites(synsets, count):
    pairs = set()
    for (part, _), (words, pointers) in synsets.items():
        for symbol, other, _, at in pointers:
            if symbol != "!":
                continue
            one, two = words[int(at[:2], 16) - 1], synsets[part, other][0][int(at[2:], 16) - 1]
            if not (one.isalpha() and two.isalpha() and one.isascii() and two.isascii()):
                continue
            if any(one == prefix + two or two == prefix + one for prefix in PREFIXES):
                continue
            if tuple(sorted((one, two))) in NO_OPPOSITES:
                continue
            if stem(one) in count or stem(two) in count:
                pairs.add(tuple(sorted((one, two))))
    grouped = collections.defaultdict(list)
    for one, two in sorted(pairs):
        grouped[one].append(two)
    return [" ".join([one] + grouped[one]) + " ." for one in sorted(grouped)]


def synonyms(synsets, senses, count):
    noted = {word for word, _ in count.most_common(NOTED_WORDS)}
    groups = set()
    for (part, offset), (words, _) in synsets.items():
        stems = set()
        for word in words:
            known = senses.get((part, word), [])
            if word.isalpha() and word.isascii() and offset in known[:SENSES] and stem(word) in noted:
                stems.add(stem(word))
        if len(stems) > 1:
            groups.add(tuple(sorted(stems)))
    kept = [group for group in groups if not any(set(group) < set(other) for other in groups)]
    return [" ".join(group) + " ." for group in sorted(kept)]


SENSES = 4


def wrapped(lines):
    text, row = [], ""
    for line in lines:
        for word in line.split():
            if len(row) + len(word) + 1 > WIDTH:
                text.append(row)
                row = ""
            row = f"{row} {word}" if row else word
    return text + [row]


def write(name, source, says, lines, type_name):
    rows = "\n".join("        " + row for row in wrapped(lines))
    (HERE / f"{name}.swift").write_text(
        f"// SPDX-License-Identifier: Apache-2.0\n// Generated by generate.py from {source}. Do not edit.\n\n"
        f"extension {type_name} {{\n    /// {says}\n    static let data: StaticString = \"\"\"\n{rows}\n        \"\"\"\n}}\n",
        encoding="utf-8")
    print(name, len(rows), "bytes", rows.count("\n") + 1, "rows")


def main():
    folder, questions = pathlib.Path(sys.argv[1]), sys.argv[2]
    count, rare = rarity(questions)
    synsets, senses = wordnet(folder)
    shared = "public questions (BANKING77, CLINC150, Disfl-QA, Natural Questions)"
    write("RarityData", shared, "A number is four times the idf of the stems that follow it.", rare, "Rarity")
    write("OppositesData", "WordNet 3.0", "A word, its antonyms, a full stop.", opposites(synsets, count), "Opposites")
    write("SynonymsData", "WordNet 3.0", "Stems that share one of their commonest senses; a full stop ends a group.",
          synonyms(synsets, senses, count), "Synonyms")


if __name__ == "__main__":
    main()
