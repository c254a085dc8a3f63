# SPDX-License-Identifier: Apache-2.0
"""The texts of the comparison."""
import json
import pathlib

import tokenizers

MAXIMUM_TOKENS = 256
CLS, SEP = 101, 102


def read(path):
    """One text per line, or one JSON object with `text` or `prompt` per line."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
    if not lines[0].startswith("{"):
        return [line for line in lines if line]
    objects = [json.loads(line) for line in lines if line]
    return [o["text"] if "text" in o else o["prompt"] for o in objects]


def committed():
    """500 texts: most are short questions, some are long or odd."""
    return read(pathlib.Path(__file__).parent.parent / "LocalEmbedderTests/Resources/reference-texts.ndjson")


def tokenizer(model):
    made = tokenizers.Tokenizer.from_file(str(pathlib.Path(model) / "tokenizer.json"))
    made.enable_truncation(MAXIMUM_TOKENS)
    made.no_padding()
    return made


class Inputs:
    """Batches of real words, other ones each round, the same ones in each run."""

    def __init__(self, coded):
        """coded: the ids of texts, [CLS] and [SEP] among them."""
        self.short = [ids for ids in coded if 6 <= len(ids) <= 48]
        self.words = [piece for ids in coded for piece in ids[1:-1]]

    def equal(self, count, tokens, number):
        """Texts of so many tokens each: a piece out of all of the texts, one behind the other."""
        def text(place):
            start = place * 1009 * tokens % (len(self.words) - tokens)
            return [CLS] + self.words[start:start + tokens - 2] + [SEP]
        return [text(number * count + place) for place in range(count)]

    def mixed(self, count, number):
        """Questions as they come, of 6 to 48 tokens."""
        return [self.short[(number * count + place) % len(self.short)] for place in range(count)]
