# SPDX-License-Identifier: Apache-2.0
"""A semcached of one's own, the vectors that it makes, and what semcache eval finds."""

import collections
import importlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

import grpc
import numpy
from grpc_tools import protoc

PROTOS = pathlib.Path(__file__).resolve().parents[2] / "Protos"
TEXTS_OF_EMBED = 64
EMBEDS_IN_FLIGHT = 4


class Service:
    """Runs as long as the block lasts."""

    def __init__(self, folder, bin_folder, model, settings):
        self._arguments = [f"{bin_folder}/semcached", "--port", "0", "--model", model, "--store", f"{folder}/cache.sqlite"]
        for setting in ["grpc.port=0", "admin.enabled=false", *settings]:
            self._arguments += ["--set", setting]
        self.ports = {}

    def __enter__(self):
        self._process = subprocess.Popen(self._arguments, stderr=subprocess.PIPE, text=True)
        log = []
        for line in self._process.stderr:
            log.append(line)
            match = re.search(r"server\.address=\S*:(\d+) server\.protocol=(\w+)", line)
            if match:
                self.ports[match[2]] = int(match[1])
            if {"native", "grpc"} <= self.ports.keys():
                break
        else:
            raise SystemExit("semcached did not start:\n" + "".join(log))
        # It must not stop because nobody reads what it logs.
        threading.Thread(target=self._process.stderr.read, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()


def stubs():
    """Compiles the schema and imports what comes of it."""
    folder = tempfile.mkdtemp()
    if protoc.main(["protoc", f"-I{PROTOS}", f"--python_out={folder}", f"--grpc_python_out={folder}",
                    "semcached/v1/semantic_cache.proto"]) != 0:
        raise SystemExit("the schema could not be compiled")
    sys.path.insert(0, folder)
    name = "semcached.v1.semantic_cache_pb2"
    return importlib.import_module(name), importlib.import_module(name + "_grpc")


def vectors(service, texts):
    """Of each text, in their order, of unit length."""
    messages, services = stubs()
    channel = grpc.insecure_channel(f"127.0.0.1:{service.ports['grpc']}")
    cache = services.SemanticCacheStub(channel)
    distinct = sorted(set(texts), key=len)
    batches = [distinct[start:start + TEXTS_OF_EMBED] for start in range(0, len(distinct), TEXTS_OF_EMBED)]
    made, waiting = {}, collections.deque()
    for position in range(len(batches) + EMBEDS_IN_FLIGHT):
        if position < len(batches):
            request = messages.EmbedRequest(cache=b"default", texts=[text.encode() for text in batches[position]])
            waiting.append((batches[position], cache.Embed.future(request, timeout=120)))
        if waiting and (len(waiting) > EMBEDS_IN_FLIGHT or position >= len(batches)):
            batch, answer = waiting.popleft()
            for text, embedding in zip(batch, answer.result().embeddings):
                made[text] = numpy.array(embedding.values, numpy.float32)
    matrix = numpy.stack([made[text] for text in texts])
    return matrix / numpy.linalg.norm(matrix, axis=1, keepdims=True)


def evaluated(service, bin_folder, stream_file):
    """What semcache eval reports of the file, in its own order."""
    command = [f"{bin_folder}/semcache", "eval", str(stream_file), "--order", "0", "--json",
               "--server", f"127.0.0.1:{service.ports['native']}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"semcache eval ended with {done.returncode}: {done.stdout}")
    return json.loads(done.stdout)
