# SPDX-License-Identifier: Apache-2.0
"""The peers: one per process, one thread, serving what `semcache-bench embed --pipe` serves.

    peers.py NAME CONVERTED_FOLDER
"""
import json
import os
import sys
import time

# Before anything is imported that reads them.
for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "CT2"):
    os.environ[library + "_NUM_THREADS"] = "1"
os.environ.update({"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})

import numpy

if __name__ != "__main__" or sys.argv[1].startswith(("torch", "sentence")):
    import torch


def padded(batch):
    """Ids and mask as matrices; what is missing is 0."""
    ids = numpy.zeros((len(batch), max(map(len, batch))), dtype=numpy.int64)
    mask = numpy.zeros_like(ids)
    for row, text in enumerate(batch):
        ids[row, :len(text)] = text
        mask[row, :len(text)] = 1
    return ids, mask


class ONNXRuntime:
    def __init__(self, path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def prepare(self, batch):
        ids, mask = padded(batch)
        return {"ids": ids, "mask": mask}

    def encode(self, feed):
        return self.session.run(None, feed)[0]


class OpenVINO:
    def __init__(self, path):
        import openvino

        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
        self.request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def prepare(self, batch):
        ids, mask = padded(batch)
        return {"ids": ids, "mask": mask}

    def encode(self, feed):
        return self.request.infer(feed, share_inputs=True)[0]


class CTranslate2:
    def __init__(self, folder):
        import ctranslate2

        self.encoder = ctranslate2.Encoder(
            str(folder), device="cpu", compute_type="int8", inter_threads=1, intra_threads=1)

    def prepare(self, batch):
        import ctranslate2

        ids, mask = padded(batch)
        lengths = mask.sum(axis=1).astype(numpy.int32)
        views = [ctranslate2.StorageView.from_array(a) for a in (ids.astype(numpy.int32), lengths)]
        return views, mask[:, :, None].astype(numpy.float32), lengths[:, None].astype(numpy.float32)

    def encode(self, prepared):
        (ids, lengths), mask, counts = prepared
        hidden = numpy.array(self.encoder.forward_batch(ids, lengths).last_hidden_state, copy=False)
        mean = (hidden * mask).sum(axis=1) / counts
        return mean / numpy.sqrt((mean * mean).sum(axis=1, keepdims=True))


if "torch" in sys.modules:

    class TorchEncoder(torch.nn.Module):
        """The network, the mean over the mask, and the division by the length."""

        def __init__(self, folder, attention="sdpa"):
            import transformers

            super().__init__()
            self.model = transformers.BertModel.from_pretrained(str(folder), attn_implementation=attention)
            self.eval()

        def forward(self, ids, mask):
            hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask[:, :, None].to(hidden.dtype)
            mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
            return mean / mean.norm(dim=1, keepdim=True)


class Torch:
    def __init__(self, folder):
        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        self.encoder = TorchEncoder(folder)

    def prepare(self, batch):
        return [torch.from_numpy(a) for a in padded(batch)]

    def encode(self, prepared):
        with torch.inference_mode():
            return self.encoder(*prepared).numpy()


class SentenceTransformers:
    """Takes texts: its tokenizer is in the time."""

    def __init__(self, folder):
        import sentence_transformers
        from sentence_transformers import models

        torch.set_num_threads(1)
        torch.set_num_interop_threads(1)
        network = models.Transformer(str(folder), max_seq_length=256)
        parts = [network, models.Pooling(384), models.Normalize()]
        self.model = sentence_transformers.SentenceTransformer(modules=parts, device="cpu")

    def prepare(self, texts):
        return texts

    def encode(self, texts):
        return self.model.encode(texts, batch_size=len(texts), show_progress_bar=False)


def make(name, folder):
    return {
        "torch-fp32": lambda: Torch(folder + "/torch"),
        "onnxruntime-fp32": lambda: ONNXRuntime(folder + "/onnx-fp32.onnx"),
        "onnxruntime-int8": lambda: ONNXRuntime(folder + "/onnx-int8.onnx"),
        "openvino-int8": lambda: OpenVINO(folder + "/openvino-int8.xml"),
        "ctranslate2-int8": lambda: CTranslate2(folder + "/ctranslate2-int8"),
        "sentence-transformers": lambda: SentenceTransformers(folder + "/torch"),
    }[name]()


def main():
    name, folder = sys.argv[1:]
    # What libraries print must not get among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = make(name, folder)
    print(json.dumps({"peer": name}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        prepared = peer.prepare(request["ids"] if "ids" in request else request["texts"])
        times, vectors = [], None
        for _ in range(request["repeat"]):
            start = time.perf_counter_ns()
            vectors = peer.encode(prepared)
            times.append(time.perf_counter_ns() - start)
        reply = {"ns": times}
        if request.get("vectors"):
            reply["vectors"] = numpy.asarray(vectors, dtype=numpy.float64).tolist()
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
