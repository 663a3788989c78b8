"""PyTorch's side of infer.py: the float ONNX model as an fx module, run in float32 or quantized by PyTorch's own tools.

PyTorch reads no ONNX; infer.py writes the graph as JSON and the weights as raw float32 next to it. fp32 variants: "eager"
(batch norm folded, channels_last), "frozen" (traced, frozen, torch.jit.optimize_for_inference). int8: post-training quantization in fx
graph mode for the x86 engine, calibrated on the images.
"""

import json
import warnings

import torch
from torch import fx, nn

from infer_worker import serve

warnings.filterwarnings("ignore")


def build(folder):
    """The module of graph.json: a list of {op, name, inputs, output, weights, ...}."""
    with open(f"{folder}/graph.json") as file:
        description = json.load(file)
    data = torch.from_file(f"{folder}/weights.bin", size=description["floats"])
    root, graph = nn.Module(), fx.Graph()
    values = {description["input"]: graph.placeholder("x")}
    for i, node in enumerate(description["nodes"]):
        inputs = [values[name] for name in node["inputs"]]
        weights = [data[w["offset"] :][: w["count"]].clone().reshape(w["dims"]) for w in node["weights"]]
        if node["op"] == "Add":
            values[node["output"]] = graph.call_function(torch.add, tuple(inputs))
        elif node["op"] == "Flatten":
            values[node["output"]] = graph.call_function(torch.flatten, (inputs[0], 1))
        else:
            root.add_module(f"m{i}", layer(node, weights))
            values[node["output"]] = graph.call_module(f"m{i}", tuple(inputs))
    graph.output(values[description["output"]])
    return fx.GraphModule(root, graph).eval()


def layer(node, weights):
    op = node["op"]
    if op == "Conv":
        w = weights[0]
        module = nn.Conv2d(w.shape[1] * node["group"], w.shape[0], w.shape[2], node["strides"][0], node["pads"][0],
                           groups=node["group"], bias=len(weights) > 1)
    elif op == "Gemm":
        module = nn.Linear(weights[0].shape[1], weights[0].shape[0], bias=len(weights) > 1)
    elif op == "BatchNormalization":
        module = nn.BatchNorm2d(len(weights[0]), eps=node["epsilon"])
        module.running_mean.copy_(weights[2])
        module.running_var.copy_(weights[3])
    elif op == "Relu":
        return nn.ReLU()
    elif op == "MaxPool":
        return nn.MaxPool2d(node["kernel_shape"], node["strides"], node["pads"][0])
    elif op == "GlobalAveragePool":
        return nn.AdaptiveAvgPool2d(1)
    else:
        raise ValueError(f"no module for {op}")
    module.weight.data.copy_(weights[0])
    if len(weights) > 1:
        module.bias.data.copy_(weights[1])
    return module


def quantize(model, images):
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    torch.backends.quantized.engine = "x86"
    prepared = prepare_fx(model, get_default_qconfig_mapping("x86"), (images[:1],))
    for chunk in images[:256].split(64):
        prepared(chunk)
    return convert_fx(prepared)


@torch.inference_mode()
def load(request):
    from torch.fx.experimental.optimization import fuse

    torch.set_num_threads(request["threads"])
    shape, batch = request["shape"], request["batch"]
    count = request["count"]
    images = torch.from_file(request["images"], size=count * shape[0] * shape[1] * shape[2]).reshape(count, *shape)
    images = images.contiguous(memory_format=torch.channels_last)
    first = images.repeat(-(-batch // count), 1, 1, 1)[:batch].contiguous(memory_format=torch.channels_last)
    model = build(request["folder"])
    if request["variant"] == "int8":
        model = quantize(model, images)
    else:
        model = fuse(model)
    model = model.to(memory_format=torch.channels_last)
    if request["variant"] == "frozen":
        model = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, first)))

    @torch.inference_mode()
    def run():
        model(first)

    @torch.inference_mode()
    def predict():
        # Whole batches: a frozen trace is for one size.
        classes = []
        for i in range(0, count, batch):
            chunk = torch.cat([images[i : i + batch], first])[:batch].contiguous(memory_format=torch.channels_last)
            classes += model(chunk).argmax(1)[: min(batch, count - i)].tolist()
        return classes

    return run, predict


if __name__ == "__main__":
    serve(load)
