# SPDX-License-Identifier: Apache-2.0
"""Makes the vectors that the encoder is tested against, with sentence-transformers in fp32 on the CPU.

    python3 -m venv venv
    venv/bin/pip install sentence-transformers==6.2.0 torch==2.15.0
    venv/bin/python make_reference.py MODEL_FOLDER

MODEL_FOLDER is the unpacked model, with config.json and 1_Pooling beside model.safetensors. Writes beside this file:

    reference-texts.ndjson  one line per text: {"text": ..., "ids": [...]}, at most 256 ids, [CLS] and [SEP] among them
    reference-vectors.f16   384 numbers of two bytes (IEEE half, little endian) per text, in the same order

The texts are made here: 450 short questions, 26 in other scripts or otherwise odd, 24 long ones up to and over 256 ids.
"""
import json
import pathlib
import sys

import numpy
import torch
from sentence_transformers import SentenceTransformer

OPENINGS = [
    "how do I", "can I", "why can't I", "what happens if I", "is there a way to", "I want to", "please help me",
    "when should I", "do I have to pay to", "how long does it take to", "who is allowed to", "where do I go to",
    "I tried twice to", "what do I need to", "would it be safe to", "My son asked whether we may",
]
ACTIONS = [
    "reset the password of", "cancel", "order a replacement for", "export", "insure", "lend a friend", "repaint",
    "return", "sell", "translate", "lock", "upgrade", "find the serial number of", "transfer 250 euros from",
    "set a reminder about", "share a picture of", "get a refund for", "change the address on", "rename", "restore",
    "look up the opening hours of", "compare the prices of",
]
THINGS = [
    "my savings account", "the blue bicycle", "an unopened parcel", "this subscription", "our family plan",
    "the boarding pass", "a lost credit card", "the kitchen tap", "version 3.1 of the app", "my grandmother's recipe",
    "the router in the hallway", "a rented car", "the museum ticket", "yesterday's backup", "an invoice from March",
    "the thermostat", "a sleeping bag", "the company laptop", "my vaccination record",
]
ENDINGS = [
    "?", " before Friday?", " without calling anyone?", " while I am abroad?", ", and if so, how?", " again", " today",
    " if it is already too late?", " from my phone?", " on behalf of my neighbour?", " for less than $20?",
    " although it says \"access denied\"?", ".",
]
ODD = [
    "", " ", "a", "?", "42", "3.14159 or 22/7?", "!!!???", "UPPER CASE QUESTION WITHOUT A MARK",
    "Wie lange hat das Geschäft am Samstag geöffnet?", "¿Dónde está mi pedido y cuánto cuesta el envío?",
    "Où puis-je réserver une chambre à côté de l’hôtel ?", "Можно ли вернуть товар без чека?",
    "Πώς αλλάζω τον κωδικό μου;", "配送状況を確認したいのですが、どうすればいいですか。", "如何更改我的送货地址?",
    "비밀번호를 어떻게 변경하나요?", "كيف يمكنني إلغاء اشتراكي؟", "איך אני מחזיר מוצר?", "मैं अपना पासवर्ड कैसे बदलूँ?",
    "is this 👍🏽 or 👎? 🤷‍♀️ thanks 🙏", "the café’s naïve façade cost 5 € — or £4½", "x" * 90, "x" * 101,
    "for (int i = 0; i < 10; i++) { sum += a[i] * b[i]; }", "https://example.org/a/b?c=d&e=f#g", "e\u0301 and \u00e9",
]


def short(i):
    """Walks through all four lists with steps that share no factor with their lengths."""
    return "{} {} {}{}".format(
        OPENINGS[i * 5 % len(OPENINGS)], ACTIONS[i * 7 % len(ACTIONS)], THINGS[i * 11 % len(THINGS)],
        ENDINGS[i * 3 % len(ENDINGS)])


def long(i):
    """Joins from 2 to 25 questions, which makes up to some 400 ids before they are cut to 256."""
    return " ".join(short(1000 + 40 * i + j) for j in range(2 + i))


def main():
    folder = pathlib.Path(__file__).parent
    texts = [short(i) for i in range(450)] + ODD + [long(i) for i in range(24)]
    assert len(texts) == len(set(texts)) == 500
    model = SentenceTransformer(sys.argv[1], device="cpu")
    assert model.max_seq_length == 256
    # One at a time: no padding, so that the reference does not depend on the batch.
    with torch.inference_mode():
        vectors = numpy.stack([model.encode(text, normalize_embeddings=True) for text in texts])
    assert vectors.shape == (500, 384) and vectors.dtype == numpy.float32
    with open(folder / "reference-texts.ndjson", "w", encoding="utf-8") as file:
        for text in texts:
            coded = model.tokenizer(text, truncation=True, max_length=256, padding=False)
            ids = [i for i, kept in zip(coded["input_ids"], coded["attention_mask"]) if kept]
            assert 2 <= len(ids) <= 256
            file.write(json.dumps({"text": text, "ids": ids}, separators=(",", ":")) + "\n")
    vectors.astype("<f2").tofile(folder / "reference-vectors.f16")


main()
