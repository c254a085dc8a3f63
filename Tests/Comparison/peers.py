# SPDX-License-Identifier: Apache-2.0
"""The other caches. Each gets the stream's vectors, and answers a question with the number of the one it was stored for."""

import atexit
import inspect
import os
import shutil
import tempfile

import numpy


class Tally:
    """Counts hits and errors."""

    def __init__(self, name, note=""):
        self.name, self.note = name, note
        self.lookups = self.hits = self.wrong = 0
        self.seconds = 0.0

    def count(self, stream, asked, found):
        self.lookups += 1
        if found is not None:
            self.hits += 1
            self.wrong += 0 if stream.agree(asked, found) else 1


def play(tally, stream, lookup, store):
    for position in range(len(stream.questions)):
        found = lookup(position)
        tally.count(stream, position, found)
        if found is None:
            store(position)
    return tally


def gptcache(stream, vectors):
    """GPTCache as its documentation sets it up for similarity: SQLite and FAISS, its evaluator of distances, its threshold."""
    from gptcache import Cache, Config
    from gptcache.adapter.api import get, put
    from gptcache.manager import CacheBase, VectorBase, get_data_manager
    from gptcache.processor.pre import get_prompt
    from gptcache.similarity_evaluation import SearchDistanceEvaluation

    # In memory if that can be: it waits for the disk with each hit and each entry.
    folder = tempfile.mkdtemp(prefix="comparison-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    # It writes once more when the process ends; what is registered first is done last.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # It evicts from 1,000 entries on unless it is told otherwise; here nothing is to be lost.
    manager = get_data_manager(
        CacheBase("sqlite", sql_url=f"sqlite:///{folder}/cache.db"),
        VectorBase("faiss", dimension=vectors.shape[1], index_path=f"{folder}/faiss.index"), max_size=1_000_000)
    numbers = {question: position for position, question in enumerate(stream.questions)}
    evaluation, config = SearchDistanceEvaluation(), Config()
    cache = Cache()
    cache.init(
        pre_embedding_func=get_prompt, embedding_func=lambda text, **_: vectors[numbers[text]], data_manager=manager,
        similarity_evaluation=evaluation, config=config)
    least, most = evaluation.range()
    # It measures squared distances of unit vectors, which are 2 - 2 cosines.
    cosine = 1 - (most - (most - least) * config.similarity_threshold) / 2
    tally = Tally("GPTCache", f"SearchDistanceEvaluation, threshold {config.similarity_threshold}: cosine >= {cosine:.2f}")

    def lookup(position):
        answer = get(stream.questions[position], cache_obj=cache)
        return None if answer is None else int(answer)

    return play(tally, stream, lookup,
                lambda position: put(stream.questions[position], str(position), cache_obj=cache))


class NearestStored:
    """What was stored, and which of it is nearest."""

    def __init__(self, vectors):
        self._all, self._stored = vectors, numpy.empty_like(vectors)
        self._positions = []

    def nearest(self, position):
        count = len(self._positions)
        if count == 0:
            return None, -1.0
        similarities = self._stored[:count] @ self._all[position]
        best = int(similarities.argmax())
        return self._positions[best], float(similarities[best])

    def store(self, position):
        self._stored[len(self._positions)] = self._all[position]
        self._positions.append(position)


def static(name, note, stream, vectors, threshold):
    """A threshold alone: the nearest entry answers if it is near enough."""
    entries = NearestStored(vectors)

    def lookup(position):
        found, similarity = entries.nearest(position)
        return found if found is not None and similarity >= threshold else None

    return play(Tally(name, note), stream, lookup, entries.store)


def redisvl(stream, vectors, redis_url):
    """redisvl's SemanticCache; its decision rule on the same vectors where Redis has no search module."""
    from redisvl.extensions.cache.llm import SemanticCache

    distance = inspect.signature(SemanticCache.__init__).parameters["distance_threshold"].default
    try:
        return with_search(SemanticCache, stream, vectors, redis_url)
    except Exception as error:  # Whatever keeps it from running is said in the table.
        reason = str(error).strip().split("\n")[0][:100] if redis_url else "no Redis"
        note = f"its rule on the same vectors: nearest, cosine distance <= {distance}. Not run: {reason}"
        return static("redisvl (rule)", note, stream, vectors, 1 - distance)


def with_search(semantic_cache, stream, vectors, redis_url):
    from redisvl.utils.vectorize import CustomTextVectorizer

    if not redis_url:
        raise RuntimeError("no Redis")
    numbers = {question: position for position, question in enumerate(stream.questions)}
    # It finds out the dimensions by a text of its own.
    vectorizer = CustomTextVectorizer(embed=lambda text, **_: vectors[numbers.get(text, 0)].tolist())
    cache = semantic_cache(name=f"comparison-{os.getpid()}", redis_url=redis_url, vectorizer=vectorizer)
    try:
        tally = Tally("redisvl", f"SemanticCache, distance_threshold {cache.distance_threshold}")

        def lookup(position):
            found = cache.check(vector=vectors[position].tolist(), num_results=1)
            return int(found[0]["response"]) if found else None

        def store(position):
            cache.store(stream.questions[position], str(position), vector=vectors[position].tolist())

        return play(tally, stream, lookup, store)
    finally:
        cache.delete()
