# SPDX-License-Identifier: Apache-2.0
"""Makes the peers' models from the one model that all of them run.

    convert.py MODEL_FOLDER TARGET_FOLDER

MODEL_FOLDER holds model.safetensors, vocab.txt and tokenizer.json, as deploy/model leaves them. TARGET_FOLDER gets:

    torch/             the same weights and what transformers needs beside them; its config.json is written here
    onnx-plain.onnx    ids and mask to vectors of unit length: the network, mean over the mask, division by the length
    onnx-fp32.onnx     the same after onnxruntime's optimizer of transformers
    onnx-int8.onnx     that after onnxruntime's dynamic quantisation: weights int8 per channel, activations by tensor
    openvino-int8.xml  onnx-plain.onnx after nncf's quantisation of a transformer: weights int8 per channel, activations
                       int8 with ranges from CALIBRATION texts
    ctranslate2-int8/  the network alone; its weights are int8 per channel, activations by token

A file DONE is written last: the folder is used again only when it is there and says the same.
"""
import json
import pathlib
import shutil
import sys

import numpy

CALIBRATION = 250
CONFIGURATION = {
    "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 30522, "hidden_size": 384,
    "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536, "hidden_act": "gelu",
    "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0,
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "position_embedding_type": "absolute",
}
TOKENIZER = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512}


def write_torch(model, target):
    target.mkdir()
    for name in ("model.safetensors", "vocab.txt", "tokenizer.json"):
        shutil.copy(model / name, target / name)
    (target / "config.json").write_text(json.dumps(CONFIGURATION))
    (target / "tokenizer_config.json").write_text(json.dumps(TOKENIZER))


def write_onnx(folder):
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer

    from peers import TorchEncoder

    encoder = TorchEncoder(folder / "torch", attention="eager")
    # Two texts of different lengths: an axis of one would be taken for a constant.
    ids = torch.tensor([[101, 2129, 2079, 1045, 102], [101, 2129, 102, 0, 0]])
    axes = {0: "batch", 1: "tokens"}
    # The exporter through TorchScript, and attention written out: onnxruntime finds and fuses attention in that form
    # only, which makes it 5 to 20 % quicker.
    torch.onnx.export(
        encoder, (ids, (ids != 0).long()), str(folder / "onnx-plain.onnx"), input_names=["ids", "mask"],
        output_names=["vectors"], dynamic_axes={"ids": axes, "mask": axes, "vectors": {0: "batch"}}, dynamo=False,
        opset_version=17)
    fused = optimizer.optimize_model(
        str(folder / "onnx-plain.onnx"), model_type="bert", num_heads=12, hidden_size=384, opt_level=1)
    found = fused.get_fused_operator_statistics()
    assert found["Attention"] == 6 and found["BiasGelu"] == 6 and found["SkipLayerNormalization"] == 12, found
    fused.save_model_to_file(str(folder / "onnx-fp32.onnx"))
    quantize_dynamic(
        str(folder / "onnx-fp32.onnx"), str(folder / "onnx-int8.onnx"), weight_type=QuantType.QInt8, per_channel=True,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


def write_openvino(folder, batches):
    import nncf
    import openvino

    model = openvino.convert_model(str(folder / "onnx-plain.onnx"))
    quantized = nncf.quantize(
        model, nncf.Dataset(batches), subset_size=len(batches), model_type=nncf.ModelType.TRANSFORMER)
    openvino.save_model(quantized, str(folder / "openvino-int8.xml"), compress_to_fp16=False)


def write_ctranslate2(folder):
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(folder / "torch")).convert(str(folder / "ctranslate2-int8"), quantization="int8")


def calibration(model):
    """Ids and mask of every second of the committed texts, each alone."""
    from texts import committed, tokenizer

    coded = [tokenizer(model).encode(text).ids for text in committed()[: 2 * CALIBRATION : 2]]
    return [{"ids": numpy.array([ids]), "mask": numpy.ones((1, len(ids)), dtype=numpy.int64)} for ids in coded]


def main():
    model, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    # What it was made with: other versions make it anew.
    made_with = (pathlib.Path(__file__).parent / "requirements.txt").read_text() + pathlib.Path(__file__).read_text()
    done = folder / "DONE"
    if done.exists() and done.read_text() == made_with:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_torch(model, folder / "torch")
    write_onnx(folder)
    write_openvino(folder, calibration(model))
    write_ctranslate2(folder)
    done.write_text(made_with)


if __name__ == "__main__":
    main()
