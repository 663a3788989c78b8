"""onnx_check.py MODEL.onnx DUMP.safetensors [--min-agreement PERCENT]: an exported integer model in ONNX Runtime.

Three questions: does ONNX Runtime's optimized graph compute convolutions, linear layers and adds with integers only; does each op
alone, on our own input codes, give our codes within 1; and does the whole model predict the same classes.
DUMP comes from dump_values.cc. Exit code 3 if an answer is no.
"""
import argparse
import collections
import json
import os
import sys
import tempfile

import numpy as np
import onnx
import onnx.utils
import onnxruntime as ort

FLOAT_OPS = {"Conv", "FusedConv", "Gemm", "FusedGemm", "FusedMatMul", "MatMul", "Add", "Sum"}


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    types = {"U8": np.uint8, "I32": np.int32, "F32": np.float32}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[begin:end], types[entry["dtype"]]).reshape(entry["shape"])
    return tensors, header["__metadata__"]


def session(model, optimized=None, precise=True):
    """precise: on a CPU without VNNI, multiply without the 16-bit saturation that ONNX Runtime allows itself there."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if precise:
        options.add_session_config_entry("session.x64quantprecision", "1")
    if optimized:
        options.optimized_model_filepath = optimized
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def channels_first(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x


def boundary(model, tensor, known):
    """The known tensors that `tensor` is computed from."""
    made_by = {output: node for node in model.graph.node for output in node.output}
    found, queue, seen = [], collections.deque(made_by[tensor].input), set()
    while queue:
        name = queue.popleft()
        if name in seen:
            continue
        seen.add(name)
        if name in known:
            found.append(name)
        elif name in made_by:
            queue.extend(made_by[name].input)
    return found, made_by


def in_onnx_order(codes, name, known, made_by):
    """Our codes as the ONNX model has them: channels first, also where a map was flattened."""
    node = made_by.get(name)
    while node is not None and node.op_type in ("QuantizeLinear", "DequantizeLinear", "Clip"):
        node = made_by.get(node.input[0])
    if codes.ndim == 2 and node is not None and node.op_type == "Flatten":
        source = made_by.get(node.input[0])
        if source is not None and source.op_type == "DequantizeLinear":
            map_codes = known[source.input[0]]
            if map_codes.ndim == 4:
                return channels_first(codes.reshape(map_codes.shape)).reshape(codes.shape)
    return channels_first(codes)


def check_ops(model, dump, inputs):
    """Each op alone: the largest difference in codes, and the share of codes that differ."""
    known = {name.removeprefix("value/"): codes for name, codes in dump.items() if name.startswith("value/")}
    known[inputs] = dump["pixels"][: len(next(iter(known.values())))]
    extractor = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model))
    worst = 0
    for name in [n for n in known if n != inputs]:
        reads, made_by = boundary(model, name, known)
        part = extractor.extract_model(reads, [name])
        feed = {r: in_onnx_order(known[r], r, known, made_by) for r in reads}
        theirs = session(part.SerializeToString()).run([name], feed)[0].astype(int)
        ours = in_onnx_order(known[name], name, known, made_by).astype(int)
        difference = np.abs(theirs - ours)
        worst = max(worst, difference.max())
        if difference.max() > 0:
            print(f"  {name:32} max {difference.max()} LSB, {100 * np.mean(difference > 0):.4f} % of {ours.size} codes differ")
    print(f"ops alone: {len(known) - 1} tensors compared, largest difference {worst} LSB")
    return worst <= 1


def check_graph(path):
    with tempfile.TemporaryDirectory() as folder:
        optimized = os.path.join(folder, "optimized.onnx")
        session(path, optimized)
        nodes = onnx.load(optimized).graph.node
    # The table of pixels adds int32 indices.
    floats = [n.name for n in nodes if n.op_type in FLOAT_OPS and not n.name.endswith("/channel_index")]
    print("optimized graph:", dict(collections.Counter(n.op_type for n in nodes)))
    print(f"float Conv, Gemm or Add left: {len(floats)} {floats[:5]}")
    return not floats


def logits_of(run, pixels, inputs):
    return np.concatenate(
        [run.run(None, {inputs: channels_first(pixels[first : first + 500])})[0] for first in range(0, len(pixels), 500)])


def check_predictions(path, dump, inputs, scale, least):
    saturated = logits_of(session(path, precise=False), dump["pixels"], inputs)
    theirs = logits_of(session(path), dump["pixels"], inputs)
    same, same_by_default = (100 * np.mean(x.argmax(1) == dump["logits"].argmax(1)) for x in (theirs, saturated))
    top1 = [100 * np.mean(x.argmax(1) == dump["labels"]) for x in (dump["logits"], theirs)]
    difference = np.abs(theirs - dump["logits"] * scale).max()
    print(f"predictions: {same:.2f} % of {len(theirs)} equal; top-1 ours {top1[0]:.2f} %, ONNX Runtime {top1[1]:.2f} %; "
          f"largest difference of a logit {difference:.4f} of {np.abs(theirs).max():.1f}")
    if not np.array_equal(theirs, saturated):
        print(f"note: without session.x64quantprecision this CPU's products saturate at 16 bits: {same_by_default:.2f} % equal")
    return same >= least


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("dump")
    parser.add_argument("--min-agreement", type=float, default=99.9)
    a = parser.parse_args()
    dump, info = read_safetensors(a.dump)
    model = onnx.load(a.model)
    onnx.checker.check_model(model, full_check=True)
    print(f"ONNX Runtime {ort.__version__}, {a.model}")
    answers = [check_graph(a.model), check_ops(model, dump, info["input"]),
               check_predictions(a.model, dump, info["input"], float(info["logits_scale"]), a.min_agreement)]
    sys.exit(0 if all(answers) else 3)


if __name__ == "__main__":
    main()
