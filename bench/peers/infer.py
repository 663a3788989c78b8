"""infer.py MODEL PREFIX ...: the turns of infer.sh for one model, and its table.

Reads PREFIX-fp32.onnx, PREFIX-int8.onnx (our exports) and PREFIX.safetensors (images and our logits, from dump_values). Peers run in
processes of their own and compute only in their turn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

import numpy as np
import onnx
from onnx import numpy_helper

from onnx_check import channels_first, read_safetensors

HERE = os.path.dirname(os.path.abspath(__file__))

# What each peer can do: (peer, variant, label). "exact": without 16-bit saturation on CPUs without VNNI.
VARIANTS = {
    "int8": [("onnxruntime", "default", "ORT"), ("onnxruntime", "exact", "ORT exact"), ("openvino", "latency", "OpenVINO"),
             ("openvino", "streams", "OV streams"), ("torch", "int8", "PyTorch")],
    "fp32": [("onnxruntime", "default", "ORT"), ("openvino", "latency", "OpenVINO"), ("openvino", "streams", "OV streams"),
             ("torch", "eager", "PyTorch"), ("torch", "frozen", "PyTorch jit")],
}


class Worker:
    def __init__(self, peer, torch_python):
        command = ([torch_python, "-W", "ignore", os.path.join(HERE, "infer_torch.py")] if peer == "torch"
                   else [sys.executable, "-W", "ignore", os.path.join(HERE, "infer_worker.py"), peer])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            if not line:
                return {"error": "the process ended"}
            if line.startswith("{"):
                return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def write_torch_graph(path, folder):
    """The float ONNX model as infer_torch.py reads it."""
    model = onnx.load(path)
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    nodes, blob, offset = [], [], 0
    for n in model.graph.node:
        node = {"op": n.op_type, "inputs": [i for i in n.input if i not in weights], "output": n.output[0], "weights": []}
        node.update({a.name: onnx.helper.get_attribute_value(a) for a in n.attribute if a.name != "name"})
        node = {k: list(v) if not isinstance(v, (str, int, float, list)) else v for k, v in node.items()}
        for name in n.input:
            if name in weights:
                w = np.ascontiguousarray(weights[name], np.float32)
                node["weights"].append({"offset": offset, "count": w.size, "dims": list(w.shape)})
                blob.append(w.tobytes())
                offset += w.size
        nodes.append(node)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "weights.bin"), "wb") as file:
        file.write(b"".join(blob))
    with open(os.path.join(folder, "graph.json"), "w") as file:
        json.dump({"input": model.graph.input[0].name, "output": model.graph.output[0].name, "floats": offset, "nodes": nodes}, file)


def octet_ms(model, precision, batch, threads, seconds):
    out = subprocess.run(
        [os.path.join(HERE, "../../octet"), "bench", "model", "--model", model, "--mode", "infer", "--precision", precision,
         "--batch", str(batch), "--threads", str(threads), "--seconds", str(seconds), "--json"],
        check=True, capture_output=True, text=True)
    return json.loads(out.stdout)["ms"]


def prepare(prefix):
    """Images on disk as the peers read them, and our predictions."""
    dump, _ = read_safetensors(prefix + ".safetensors")
    pixels = channels_first(dump["pixels"])
    pixels.tofile(prefix + ".u8")
    channels_first(dump["images"]).tofile(prefix + ".f32")
    write_torch_graph(prefix + "-fp32.onnx", prefix + "-torch")
    return list(pixels.shape), {"int8": dump["logits"].argmax(1), "fp32": dump["float_logits"].argmax(1)}


def write_empty_model(path, shape):
    """A model that does nothing: what a call alone costs a peer, with Python's part."""
    info = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", *shape])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "empty", [info("x")], [info("y")])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=7), path)


def print_empty_calls(a, workers, shape):
    write_empty_model(a.prefix + "-empty.onnx", shape[1:])
    costs = []
    for peer, worker in workers.items():
        if peer == "torch":
            continue
        worker.ask(do="load", key="empty", model=a.prefix + "-empty.onnx", variant="default", batch=1, threads=1,
                   images=a.prefix + ".f32", type="f32", shape=shape[1:], count=shape[0])
        answer = worker.ask(do="time", key="empty", seconds=0.2)
        costs.append(f"{peer} {answer.get('ms', float('nan')):.4f} ms")
    print("  a call of a model that does nothing, batch 1: " + ", ".join(costs))


def measure(a, precision, batch, threads, workers, shape, agreement, ours):
    """Median milliseconds of each side; what a peer cannot do is printed and left out."""
    times = {"Octet": []}
    for worker in workers.values():
        worker.ask(do="clear")
    for peer, variant, label in VARIANTS[precision]:
        if peer not in workers or (variant == "streams" and (threads == 1 or batch == 1)):
            continue
        kind = "u8" if precision == "int8" and peer != "torch" else "f32"
        answer = workers[peer].ask(
            do="load", key=label, model=f"{a.prefix}-{precision}.onnx", folder=a.prefix + "-torch", variant=variant, batch=batch,
            threads=threads, images=f"{a.prefix}.{kind}", type=kind, shape=shape[1:], count=shape[0])
        if "error" not in answer and (precision, label) not in agreement:
            answer = workers[peer].ask(do="predict", key=label)
            if "error" not in answer:
                agreement[precision, label] = 100 * np.mean(np.array(answer["predictions"]) == ours[precision])
        if "error" in answer:
            print(f"  {label}: {answer['error']}")
            continue
        times[label] = []
    for _ in range(a.rounds):
        times["Octet"].append(octet_ms(a.model, precision, batch, threads, a.seconds))
        for peer, _, label in VARIANTS[precision]:
            if label in times:
                times[label].append(workers[peer].ask(do="time", key=label, seconds=a.seconds)["ms"])
    return {label: statistics.median(values) for label, values in times.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("prefix")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--peers", nargs="+", default=["onnxruntime", "openvino", "torch"])
    parser.add_argument("--precisions", nargs="+", default=["int8", "fp32"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 64])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    a = parser.parse_args()
    shape, ours = prepare(a.prefix)
    workers = {peer: Worker(peer, a.torch_python) for peer in a.peers}
    agreement = {}
    for precision in a.precisions:
        labels = ["Octet"] + [label for peer, _, label in VARIANTS[precision] if peer in workers]
        print(f"{a.model + ' ' + precision:24}" + "".join(f"{label:>12}" for label in labels) + "   best peer / Octet")
        for batch in a.batches:
            for threads in a.threads:
                ms = measure(a, precision, batch, threads, workers, shape, agreement, ours)
                best = min((m, label) for label, m in ms.items() if label != "Octet")
                row = "".join(f"{ms[label]:12.4g}" if label in ms else f"{'-':>12}" for label in labels)
                print(f"{f'  batch {batch}, threads {threads}':24}{row}   {best[0] / ms['Octet']:.2f}x ({best[1]})", flush=True)
    print_empty_calls(a, workers, shape)
    for (precision, label), share in agreement.items():
        print(f"  predictions equal to ours, {precision}, {label}: {share:.2f} % of {shape[0]}")
    for worker in workers.values():
        worker.close()


if __name__ == "__main__":
    main()
