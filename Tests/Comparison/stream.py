# SPDX-License-Identifier: Apache-2.0
"""A labelled stream: questions, and which of them have the same answer."""

import json
import random
import re


class Stream:
    def __init__(self, questions, labels, answers, is_json):
        self.questions = questions
        # Of each question, what is stored as its answer.
        self.labels = labels
        # Of each label, its right answers.
        self._answers, self._is_json = answers, is_json

    def agree(self, one, other):
        """Whether the answer to one question is right for the other."""
        left, right = self.labels[one], self.labels[other]
        return left == right or not self._answers[left].isdisjoint(self._answers[right])

    def shuffled(self, order, limit):
        """The first questions in an order: 0 is that of the file."""
        positions = list(range(min(limit or len(self.questions), len(self.questions))))
        if order > 0:
            random.Random(order).shuffle(positions)
        return Stream([self.questions[p] for p in positions], [self.labels[p] for p in positions], self._answers,
                      self._is_json)

    def write(self, path):
        """For semcache eval, in this order."""
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            if not self._is_json:
                file.write("question\tlabel\n")
            for question, label in zip(self.questions, self.labels):
                line = json.dumps({"prompt": question, "response": label}) if self._is_json else f"{question}\t{label}"
                file.write(line + "\n")


def folded(answer):
    return re.sub(r"[\W_]+", " ", answer.lower()).strip()


def read(path):
    questions, labels, answers = [], [], {}
    with open(path, encoding="utf-8-sig", newline="\n") as file:
        lines = file.read().rstrip("\n").split("\n")
    is_json = lines[0].startswith("{")
    for number, line in enumerate(lines, start=1):
        if is_json:
            record = json.loads(line)
            question, label = record["prompt"], record["response"]
            answers.setdefault(label, {folded(part) or part for part in label.split(" | ")})
        else:
            if number == 1:
                continue
            columns = line.rstrip("\r").split("\t")
            if len(columns) != 2:
                raise SystemExit(f"{path}, line {number}: has not two columns")
            question, label = columns
            answers.setdefault(label, {label})
        questions.append(question)
        labels.append(label)
    return Stream(questions, labels, answers, is_json)
