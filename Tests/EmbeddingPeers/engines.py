# SPDX-License-Identifier: Apache-2.0
"""Our encoder and its peers as processes that encode on one thread of one core."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

PEERS = [
    "onnxruntime-fp32", "onnxruntime-int8", "openvino-int8", "ctranslate2-int8", "torch-fp32", "sentence-transformers",
]
OURS = ["ours-int16", "ours-int8", "ours-fp32"]
REFERENCE = "torch-fp32"
#: Takes texts, no ids.
OF_TEXTS = "sentence-transformers"


class Engine:
    """A process with a line in and a line out for each request; it is gone when this process is."""

    def __init__(self, name, command, core):
        self.name = name
        # A file: nobody reads what they say of their progress unless they fail, and a full pipe would stop them.
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            # Before it starts threads or counts cores.
            preexec_fn=lambda: os.sched_setaffinity(0, {core}), env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        line = self.process.stdout.readline()
        self.greeting = json.loads(line) if line else None

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SystemExit(f"{self.name} has ended: {self.said()}")
        return json.loads(line)

    def said(self):
        """What it wrote as it ended."""
        self.process.wait()
        self.errors.seek(0)
        return self.errors.read()

    def times(self, inputs, calls, key="ids"):
        """Nanoseconds of each call, without the one before them, which finds the caches full of others' weights."""
        return self.ask(**{key: inputs, "repeat": calls + 1})["ns"][1:]

    def vectors(self, inputs, key="ids"):
        return self.ask(**{key: inputs, "repeat": 1, "vectors": True})["vectors"]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.errors.close()


def start(options):
    """All of them; what this build of ours lacks is said and left out."""
    engines = []
    here = pathlib.Path(__file__).parent
    for name in OURS + PEERS:
        if name in OURS:
            command = [options.bench, "embed", "--pipe", "--core", str(options.core), "--model", options.model]
            command += ["--precision", name.removeprefix("ours-")] + (["--isa", options.isa] if options.isa else [])
        else:
            command = [sys.executable, str(here / "peers.py"), name, options.converted]
        engine = Engine(name, command, options.core)
        if engine.greeting:
            engines.append(engine)
        elif name == "ours-int8" and "invalid for '--precision" in (said := engine.said()):
            print(f"{name} is not measured: {said.splitlines()[0]}", file=sys.stderr)
        else:
            raise SystemExit(f"{name} does not start: {engine.said()}")
    return engines
