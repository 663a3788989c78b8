"""onnx_import.py WEIGHTS.pt WORK: writes and quantizes a PyTorch ResNet with PyTorch's and ONNX Runtime's own tools, imports each file
into Octet with train.epochs: 0, and compares top-1. See onnx_import.sh. Exit code 3 if they are too far apart.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import subprocess
import sys

import numpy as np
import onnxruntime as ort
import torch
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

import torch_resnet
from onnx_import_train import MEAN, STD, normalize, read

HERE = os.path.dirname(os.path.abspath(__file__))
CALIBRATION_IMAGES = 512


def export(model, path, dynamo):
    with contextlib.redirect_stdout(io.StringIO()):
        if dynamo:
            torch.onnx.export(model, (torch.zeros(2, 3, 32, 32),), path, dynamo=True, external_data=False,
                              dynamic_shapes=({0: torch.export.Dim("N")},))
        else:
            torch.onnx.export(model, (torch.zeros(1, 3, 32, 32),), path, dynamo=False, opset_version=13,
                              input_names=["image"], output_names=["logits"], dynamic_axes={"image": {0: "N"}})


class Reader(quantization.CalibrationDataReader):
    def __init__(self, name, images):
        self.batches = iter([{name: chunk} for chunk in np.array_split(images, 8)])

    def get_next(self):
        return next(self.batches, None)


def quantize(source, target, images, activation):
    """activation: QuantType of the codes; weights are int8, one scale per output channel."""
    prepared = target + ".prepared"
    quant_pre_process(source, prepared)
    name = ort.InferenceSession(source, providers=["CPUExecutionProvider"]).get_inputs()[0].name
    quantization.quantize_static(
        prepared, target, Reader(name, images), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=activation, weight_type=quantization.QuantType.QInt8)


def top1(path, images, labels):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")  # no 16-bit saturation on CPUs without VNNI
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    correct = 0
    for first in range(0, len(images), 500):
        logits = session.run(None, {name: images[first : first + 500]})[0]
        correct += (logits.argmax(1) == labels[first : first + 500]).sum()
    return 100 * correct / len(labels)


def ours(path, run, a):
    """{form: top-1} of the model that Octet makes of the file, on the whole test set."""
    octet = os.path.join(HERE, "../../octet")
    numbers = lambda values: "[" + ", ".join(map(str, values)) + "]"
    settings = ["data.root=" + a.data, "data.mean=" + numbers(MEAN), "data.std=" + numbers(STD), "model.name=onnx",
                "model.init_from=" + path, "train.epochs=0", "quantize.method=ptq"]
    done = subprocess.run([octet, "train", "--config", os.path.join(HERE, "../../configs/resnet20.yaml"), "--out", run] +
                          [word for s in settings for word in ("--set", s)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{path}: {done.stderr}")
    with open(os.path.join(run, "summary.json")) as file:
        summary = json.load(file)
    return {form: summary[form]["top1"] for form in ("fp32", "int8")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weights")
    parser.add_argument("work")
    parser.add_argument("--model", choices=torch_resnet.MODELS, default="resnet20")
    parser.add_argument("--data", default="data")
    parser.add_argument("--points", type=float, default=0.2)
    a = parser.parse_args()
    logging.disable(logging.WARNING)
    model = torch_resnet.MODELS[a.model]()
    model.load_state_dict(torch.load(a.weights))
    model.eval()
    pixels, labels = read([f"{a.data}/cifar10/test_batch.bin"])
    images, labels = normalize(pixels).numpy(), labels.numpy()
    calibration = normalize(read([f"{a.data}/cifar10/data_batch_1.bin"])[0][:CALIBRATION_IMAGES]).numpy()

    path = lambda name: os.path.join(a.work, name + ".onnx")
    export(model, path("torchscript"), dynamo=False)
    export(model, path("dynamo"), dynamo=True)
    quantize(path("torchscript"), path("qdq_uint8"), calibration, quantization.QuantType.QUInt8)
    quantize(path("torchscript"), path("qdq_int8"), calibration, quantization.QuantType.QInt8)
    quantize(path("dynamo"), path("qdq_dynamo"), calibration, quantization.QuantType.QUInt8)

    print(f"{a.model}, {len(labels)} CIFAR-10 test images, ONNX Runtime {ort.__version__}, PyTorch {torch.__version__}")
    print(f"{'file':28}{'theirs':>9}{'our float':>11}{'our int8':>10}{'apart':>8}")
    far = 0
    for name, what in (("torchscript", "PyTorch, TorchScript, float"), ("dynamo", "PyTorch, dynamo, float"),
                       ("qdq_uint8", "ORT QDQ, uint8"), ("qdq_int8", "ORT QDQ, int8"), ("qdq_dynamo", "ORT QDQ of dynamo")):
        theirs = top1(path(name), images, labels)
        result = ours(path(name), os.path.join(a.work, name), a)
        apart = result["int8"] - theirs
        far += abs(apart) > a.points
        print(f"{what:28}{theirs:9.2f}{result['fp32']:11.2f}{result['int8']:10.2f}{apart:+8.2f}", flush=True)
    sys.exit(3 if far else 0)


if __name__ == "__main__":
    main()
