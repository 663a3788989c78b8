"""differential.py OUT [--random N] [--seed S] [--node-tests] [--cases FOLDER]: networks for the differential test of ONNX import, and what ONNX Runtime
computes of them.

Writes one file: a GraphProto whose initializers are named "<name> <kind>/<what>":
  model    the network's bytes                          kind: float, qdq (all is quantized), mixed (some is not)
  input    N images, float32 [N, C, H, W]
  logits   float32 [N, classes]
  codes <scale> <layer>[|<layer>]    uint8 codes of a quantized tensor that this node makes (or the second, into which it was folded)
`import_differential_test.cc` imports each: it must be equal, or refused. The file in tests/onnx was made by
  python3 -m venv VENV && VENV/bin/pip install onnx onnxruntime
  VENV/bin/python tests/onnx/differential.py tests/onnx/differential.pb --node-tests --random 600 --cases FOLDER
where FOLDER has small files that import once computed wrong, or refused though it could compute them;
and a larger one is tried with OCTET_ONNX_DIFFERENTIAL=FILE build/release/bin/test_onnx -tc='*differential*'.
"""

import argparse
import glob
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

IMAGES = 3
LARGEST_MODEL = 12000  # bytes


def session(model):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")  # no 16-bit saturation on CPUs without VNNI
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(model, images, outputs=()):
    """{name: value} of the model's output and of further tensors."""
    m = onnx.ModelProto()
    m.CopyFrom(model)
    names = [m.graph.output[0].name] + [o for o in outputs if o != m.graph.output[0].name]
    for name in names[1:]:
        m.graph.output.append(helper.make_empty_tensor_value_info(name))
    s = session(m)
    return dict(zip(names, s.run(names, {s.get_inputs()[0].name: images})))


class Pack:
    def __init__(self):
        self.graph = onnx.GraphProto()
        self.count = 0

    def add(self, kind, model, images, logits, codes, name=None):
        prefix = f"{name or format(self.count, '04d')} {kind}/"
        self.tensor(prefix + "model", np.frombuffer(model.SerializeToString(), np.uint8))
        self.tensor(prefix + "input", images)
        self.tensor(prefix + "logits", logits)
        for layers, value in codes.items():
            self.tensor(prefix + "codes " + layers, value)
        self.count += 1

    def tensor(self, name, value):
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))


def make_model(nodes, initializers, shape, opset, classes, batch="N", name="random"):
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch] + list(shape))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(value, key) for key, value in initializers.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=min(10, 7 if opset < 19 else 10))


class Random:
    """One random network. Tensors are real numbers; `quantize` puts QuantizeLinear and DequantizeLinear behind some."""

    def __init__(self, rng, kind):
        self.rng, self.kind = rng, kind
        self.opset = int(rng.choice([7, 9, 11, 12, 13, 15, 17, 18, 21, 23])) if kind == "float" else int(rng.choice([13, 17, 19, 21, 23]))
        self.nodes, self.initializers, self.codes = [], {}, {}
        self.shape = [int(rng.integers(1, 4)), int(rng.integers(4, 8)), int(rng.integers(4, 8))]
        self.images = rng.normal(size=[IMAGES] + self.shape).astype(np.float32)
        self.ranges = {}
        self.shapes = {"image": self.shape}
        self.layers = {}  # of each tensor: the nodes that may be its layer

    # Parts

    def flip(self, p=0.5):
        return bool(self.rng.random() < p)

    def pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    def constant(self, value, dtype=np.float32):
        name = f"k{len(self.initializers)}"
        self.initializers[name] = np.asarray(value, dtype)
        return name

    def node(self, op, inputs, outputs=1, **attributes):
        name = f"{op.lower()}{len(self.nodes)}"
        made = [f"t{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, made, name, **attributes))
        self.last = name
        return made[0]

    def emit(self, op, inputs, folds=(), **attributes):
        """A node, its shape by running what there is, and its place among the layers."""
        y = self.node(op, inputs, **attributes)
        self.layers[y] = [self.last] + [layer for x in folds for layer in self.layers.get(x, [])]
        self.shapes[y] = None
        return y

    def evaluate(self, tensor):
        m = make_model(self.nodes, self.initializers, self.shape, self.opset, 1)
        m.graph.output[0].CopyFrom(helper.make_empty_tensor_value_info(tensor))
        return run(m, self.images)[tensor]

    def close(self, y):
        """Quantizes, where the network is quantized; returns the tensor for its readers, and its shape."""
        self.values = self.evaluate(y)
        self.shapes[y] = list(self.values.shape[1:])
        if self.kind == "float" or (self.kind == "mixed" and self.flip(0.4)):
            return y
        return self.quantize(y, self.values)

    def grid(self, values):
        """Names of scale and zero point, the latter empty if it is left out, and the type."""
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        if self.flip(0.15):  # some is cut off
            low, high = low * 0.6, high * 0.6
        signed = self.flip()
        how = self.pick(["affine", "affine", "affine", "symmetric", "no negative"])
        if how == "symmetric":
            high = max(high, -low, 1e-3)
            scale, zero = high / 127.3, 0 if signed else 128
        else:
            low = 0.0 if how == "no negative" and high > 0 else low
            scale = max(high - low, 1e-3) / 254.7
            zero = int(round(-low / scale)) - (128 if signed else 0)
        dtype = np.int8 if signed else np.uint8
        return np.float32(scale), dtype(np.clip(zero, -128 if signed else 0, 127 if signed else 255)), dtype

    def quantize(self, y, values):
        scale, zero, dtype = self.grid(values)
        s = self.constant(scale if self.flip(0.8) else [scale])
        z = self.constant(np.full(self.initializers[s].shape, zero), dtype)
        bare = zero == 0 and (dtype == np.uint8 or self.opset >= 21) and self.flip()
        attributes = {}
        if self.opset >= 21 and (self.flip(0.3) or (bare and dtype == np.int8)):
            attributes["output_dtype"] = TensorProto.INT8 if dtype == np.int8 else TensorProto.UINT8
        q = self.node("QuantizeLinear", [y, s] if bare else [y, s, z], **attributes)
        x = q
        shape = self.shapes[y]
        if len(shape) == 3 and min(shape[1:]) >= 2 and self.flip(0.1):  # a pool of codes
            pool = self.node("MaxPool", [q], kernel_shape=[2, 2], strides=[1, 1])
            x, shape = pool, [shape[0], shape[1] - 1, shape[2] - 1]
        if self.layers.get(y):
            self.codes[q] = (float(scale).hex() + " " + "|".join(self.layers[y]), dtype)
        d = self.node("DequantizeLinear", [x, s] if zero == 0 and self.flip() else [x, s, z])
        self.shapes[d] = shape
        self.layers[d] = self.layers.get(y, [])
        if self.kind == "mixed" and self.flip(0.2):
            return y
        return d

    def weight(self, value, axis):
        """A constant, in a quantized network of int8 codes."""
        value = np.asarray(value, np.float32)
        if self.kind == "float" or (self.kind == "mixed" and self.flip(0.3)):
            return self.constant(value)
        per_channel = self.flip()
        others = tuple(i for i in range(value.ndim) if i != axis)
        largest = np.abs(value).max(axis=others) if per_channel else np.abs(value).max()
        scale = (np.maximum(largest, 1e-3) / self.pick([127, 127.5, 100])).astype(np.float32)
        shape = [-1 if i == axis else 1 for i in range(value.ndim)]
        codes = np.clip(np.rint(value / (scale.reshape(shape) if per_channel else scale)), -128, 127)
        unsigned = self.flip(0.2)
        w = self.constant(codes + 128 if unsigned else codes, np.uint8 if unsigned else np.int8)
        s = self.constant(scale)
        z = self.constant(np.full(scale.shape, 128 if unsigned else 0), np.uint8 if unsigned else np.int8)
        inputs = [w, s] if not unsigned and self.flip(0.3) else [w, s, z]
        return self.node("DequantizeLinear", inputs, **({"axis": axis} if per_channel else {}))

    def bias(self, count):
        return self.constant(self.rng.normal(size=count) * 0.5)

    # Layers: each takes a tensor and returns one

    def conv(self, x, out=None):
        c, h, w = self.shapes[x]
        groups = self.pick([1, 1, c])
        out = out or int(self.rng.integers(1, 4)) * (groups if groups > 1 else 1)
        k = self.pick([1, 3, 3, 2, 5])
        kh, kw = (k, k) if self.flip(0.85) else self.pick([(1, 3), (3, 1), (1, 5)])
        stride = self.pick([1, 1, 2])
        attributes = {"strides": [stride, stride], "group": groups}
        how = self.pick(["pads", "pads", "asymmetric", "SAME_UPPER", "SAME_LOWER", "VALID"])
        if how == "pads":
            attributes["pads"] = [(kh - 1) // 2, (kw - 1) // 2] * 2
        elif how == "asymmetric":
            p, q = self.pick([0, 1]), self.pick([[0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0]])
            attributes["pads"] = [p + v for v in q]
        else:
            attributes["auto_pad"] = how
        if h + (4 if "pads" in attributes else 0) < kh or w < kw or (how == "VALID" and h < kh):
            kh = kw = 1
        if self.flip(0.5):
            attributes["kernel_shape"] = [kh, kw]
        if self.flip(0.02):
            attributes["dilations"] = self.pick([[1, 1], [2, 2], [1, 2]])
        weight = self.weight(self.rng.normal(size=[out, c // groups, kh, kw]) / np.sqrt(c // groups * kh * kw), 0)
        inputs = [x, weight] + ([self.bias(out)] if self.flip(0.7) else [])
        y = self.emit("Conv", inputs, **attributes)
        return self.follow(y, out)

    def follow(self, y, channels):
        """What a quantizer takes as one with a convolution: batch norm, a bias, an activation."""
        if self.flip(0.3) and self.opset >= 9:
            y = self.norm(y, channels)
        if self.flip(0.15):
            y = self.add_constant(y, channels)
        return self.close(self.activation(y) if self.flip(0.6) else y)

    def norm(self, x, channels):
        r = self.rng
        constants = [self.constant(r.uniform(-1.5, 1.5, channels)), self.bias(channels), self.bias(channels),
                     self.constant(r.uniform(0.1, 2, channels))]
        attributes = {"epsilon": float(self.pick([1e-5, 1e-3, 0.1]))} if self.flip() else {}
        return self.emit("BatchNormalization", [x] + constants, [x], **attributes)

    def add_constant(self, x, channels):
        rank = self.rank(x)
        shape = self.pick([[channels], [1, channels], []]) if rank == 2 else self.pick([[channels, 1, 1], [1, channels, 1, 1], []])
        c = self.constant(self.rng.normal(size=shape))
        return self.emit("Add", [x, c] if self.flip() else [c, x], [x])

    def rank(self, x):
        return 1 + len(self.shapes[x] if self.shapes.get(x) else self.evaluate(x).shape[1:])

    def activation(self, x):
        if self.flip(0.6):
            return self.emit("Relu", [x], [x])
        if self.opset < 11:
            return self.emit("Clip", [x], [x], min=0.0, max=float(self.pick([6.0, 3.4e38])))
        return self.emit("Clip", [x, self.constant(0.0)] + ([self.constant(6.0)] if self.flip() else []), [x])

    def relu(self, x):
        return self.close(self.activation(x))

    def batch_norm(self, x):
        return self.close(self.norm(x, self.shapes[x][0]))

    def shift(self, x):
        return self.close(self.add_constant(x, self.shapes[x][0]))

    def max_pool(self, x):
        c, h, w = self.shapes[x]
        k = self.pick([1, 2, 3])
        if min(h, w) < k:
            return x
        attributes = {"kernel_shape": [k, k], "strides": [self.pick([1, 2])] * 2}
        if self.flip(0.4):
            attributes["pads"] = [int(k // 2)] * 4 if self.flip(0.8) else [0, 0, k // 2, k // 2]
        if self.flip(0.1) and self.opset >= 10:
            attributes["ceil_mode"] = 1
        y = self.emit("MaxPool", [x], **attributes)
        return self.close(y)

    def average_pool(self, x):
        c, h, w = self.shapes[x]
        k = self.pick([2, 3, min(h, w)])
        if min(h, w) < k:
            return x
        attributes = {"kernel_shape": [k, k], "strides": [self.pick([1, 2])] * 2}
        if self.flip(0.3):
            attributes["pads"] = [int(k // 2)] * 4
            attributes["count_include_pad"] = int(self.flip(0.7))
        return self.close(self.emit("AveragePool", [x], **attributes))

    def add(self, x, y):
        op = "Sum" if self.flip(0.2) and self.opset >= 8 else "Add"
        z = self.emit(op, [x, y])
        return self.close(self.activation(z) if self.flip(0.4) else z)

    def concat(self, *xs):
        return self.close(self.emit("Concat", list(xs), axis=self.pick([1, 1, 1, -len(self.shapes[xs[0]])])))

    def identity(self, x):
        if self.flip():
            y = self.node("Identity", [x])
        elif self.opset >= 12:
            y = self.node("Dropout", [x, self.constant(0.5), self.constant(False, bool)])
        else:
            y = self.node("Dropout", [x], ratio=0.5)
        self.shapes[y], self.layers[y] = self.shapes[x], self.layers.get(x, [])
        return y

    def flatten(self, x):
        c, h, w = self.shapes[x]
        how = self.pick(["Flatten", "Flatten", "Reshape"])
        if how == "Flatten":
            y = self.emit("Flatten", [x], **({"axis": self.pick([1, -3]) if self.opset >= 11 else 1} if self.flip() else {}))
        else:
            y = self.emit("Reshape", [x, self.constant(self.pick([[0, -1], [-1, c * h * w], [0, c * h * w]]), np.int64)])
        self.layers[y] = []
        self.shapes[y] = [c * h * w]
        return self.close(y) if self.flip(0.2) else y

    def mean(self, x):
        if self.flip(0.6):
            return self.close(self.emit("GlobalAveragePool", [x]))
        axes, keep = self.pick([[2, 3], [-1, -2]]), int(self.flip())
        if self.opset >= 18:
            return self.close(self.emit("ReduceMean", [x, self.constant(axes, np.int64)], keepdims=keep))
        return self.close(self.emit("ReduceMean", [x], axes=axes, keepdims=keep))

    def linear(self, x, out):
        features = self.shapes[x][0]
        w = self.rng.normal(size=[out, features]) / np.sqrt(features)
        if self.flip(0.3):
            y = self.emit("MatMul", [x, self.weight(w.T, 1)])
            if self.flip(0.6):
                if self.kind != "float" and self.flip(0.2):
                    y = self.close(y)
                y = self.add_constant(y, out)
            return y
        rows = self.flip()
        weight = self.weight(w if rows else w.T, 0 if rows else 1)
        inputs = [x, weight]
        if self.flip(0.8) or self.opset < 11:
            inputs.append(self.constant(self.rng.normal(size=self.pick([[out], [out], [1, out], [1], [1, 1], []]))))
        return self.emit("Gemm", inputs, transB=int(rows))

    # The network

    def build(self):
        x = "image"
        if self.kind != "float":  # images lie on the grid of their own quantization
            scale, zero = np.float32(2.0 ** -5), np.uint8(128)
            self.images = ((np.clip(np.rint(self.images / scale), -128, 127)) * scale).astype(np.float32)
            s, z = self.constant(scale), self.constant(zero, np.uint8)
            q = self.node("QuantizeLinear", [x, s, z])
            x = self.node("DequantizeLinear", [q, s, z])
            self.shapes[x] = self.shape
        maps = [x]
        steps = int(self.rng.integers(1, 6))
        for _ in range(steps):
            x = maps[-1] if self.flip(0.75) else self.pick(maps)
            c, h, w = self.shapes[x]
            like = [m for m in maps if m != x and self.shapes[m] == [c, h, w]] or [x]
            beside = [m for m in maps if self.shapes[m][1:] == [h, w]]
            how = self.pick(["conv"] * 6 + ["max", "average", "add", "add", "concat", "relu", "norm", "shift", "identity", "again"])
            if c > 12:
                how = "conv"
            y = {"conv": lambda: self.conv(x), "max": lambda: self.max_pool(x), "average": lambda: self.average_pool(x),
                 "add": lambda: self.add(x, self.pick(like)), "concat": lambda: self.concat(x, self.pick(beside)),
                 "relu": lambda: self.relu(x), "norm": lambda: self.batch_norm(x) if self.opset >= 9 else x,
                 "shift": lambda: self.shift(x), "identity": lambda: self.identity(x),
                 "again": lambda: self.quantize(x, self.evaluate(x)) if self.kind != "float" else x}[how]()
            maps.append(y)
        x = maps[-1] if maps[-1] != "image" else self.conv("image")
        classes = int(self.rng.integers(2, 6))
        head = self.pick(["linear"] * 6 + ["mlp", "mlp", "squeezenet", "flatten"])
        if head == "squeezenet":
            x = self.mean(self.conv(x, classes))
        elif self.flip(0.6) or self.shapes[x][1] * self.shapes[x][2] > 36:
            x = self.mean(x)
        if len(self.shapes[x]) == 3:
            x = self.flatten(x)
        if head in ("linear", "mlp"):
            if head == "mlp":
                x = self.linear(x, 5)
                x = self.close(self.activation(x) if self.flip(0.7) else x)
            x = self.linear(x, classes)
        if self.kind != "float" and self.flip(0.3):
            values = self.evaluate(x)
            self.shapes[x] = list(values.shape[1:])
            self.layers[x] = []
            x = self.quantize(x, values)
        if self.flip(0.15):
            axis = {} if self.flip() else {"axis": self.pick([1, 1, -1, 0])}
            x = self.node(self.pick(["Softmax", "LogSoftmax"]), [x], **axis)
        values = self.evaluate(x)
        self.node("Identity", [x])
        self.nodes[-1].output[0] = "logits"
        used = {i for n in self.nodes for i in n.input}
        model = make_model(self.nodes, {k: v for k, v in self.initializers.items() if k in used}, self.shape, self.opset,
                           values.shape[-1])
        prune(model)
        return model

    def expected(self, model):
        there = {o for n in model.graph.node for o in n.output}
        wanted = [q for q in self.codes if q in there]
        result = run(model, self.images, wanted)
        codes = {}
        for q in wanted:
            layers, dtype = self.codes[q]
            value = result[q].astype(np.int16) + (128 if dtype == np.int8 else 0)
            codes.setdefault(layers, value.astype(np.uint8))
        return result["logits"], codes


def prune(model):
    """Leaves out nodes that nothing reads."""
    nodes, wanted = list(model.graph.node), {"logits"}
    kept = []
    for node in reversed(nodes):
        if any(o in wanted for o in node.output):
            kept.append(node)
            wanted.update(node.input)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    constants = [t for t in model.graph.initializer if t.name in wanted]
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)


def wrap_node_tests(pack):
    """The onnx package's tests of single nodes, each between an input [N, C, H, W] and a linear layer."""
    import onnx.backend.test.case.node as cases
    from onnx.backend.test.case.node import collect_testcases

    wrapped = 0
    seen = set()
    for case in collect_testcases(None):
        model, data = case.model, case.data_sets
        if not data or len(model.graph.node) != 1 or case.name in seen:
            continue
        seen.add(case.name)
        node = onnx.NodeProto()
        node.CopyFrom(model.graph.node[0])
        opset = model.opset_import[0].version
        inputs = [np.asarray(v) if isinstance(v, np.ndarray) else None for v in data[0][0]]
        given = [name for name in node.input if name]
        if node.domain or not inputs or any(v is None for v in inputs) or len(given) != len(inputs) or opset > 23:
            continue
        x = inputs[0]
        nodes, constants, rng = [], {}, np.random.default_rng(7)
        if x.dtype == np.float32 and x.ndim == 4:
            images = x
            node.input[0] = "image"
        elif x.dtype == np.float32 and x.ndim == 2:
            images = x.reshape(*x.shape, 1, 1)
            nodes.append(helper.make_node("Flatten", ["image"], ["flat"], "flat"))
            node.input[0] = "flat"
        elif x.dtype == np.float32 and x.ndim == 3:
            images = x[np.newaxis]
            nodes.append(helper.make_node("Squeeze", ["image", "zero"], ["flat"], "flat"))
            constants["zero"] = np.asarray([0], np.int64)
            node.input[0] = "flat"
            if opset < 13:
                continue
        else:
            continue
        for name, value in list(zip(given, inputs))[1:]:
            constants[name] = value
        node.name = "tested"
        nodes.append(node)
        y, kind = node.output[0], data[0][1][0]
        if not isinstance(kind, np.ndarray):
            continue
        if node.op_type == "QuantizeLinear":
            nodes.append(helper.make_node("DequantizeLinear", [y] + list(node.input)[1:], ["real"], "real", **{
                a.name: helper.get_attribute_value(a) for a in node.attribute if a.name in ("axis", "block_size")}))
            y = "real"
        elif kind.dtype != np.float32:
            continue
        if kind.ndim != 2:
            nodes.append(helper.make_node("Flatten", [y], ["rows"], "rows"))
            y = "rows"
        features = int(np.prod(kind.shape[1:])) if kind.ndim > 1 else 1
        if features > 400 or images.size > 4000:
            continue
        constants["head"] = rng.normal(size=[features, 3]).astype(np.float32)
        nodes.append(helper.make_node("MatMul", [y, "head"], ["logits"], "head"))
        try:
            wrap = make_model(nodes, constants, images.shape[1:], opset, 3, name="node", batch=images.shape[0])
            if wrap.ByteSize() > LARGEST_MODEL:
                continue
            logits = run(wrap, images)["logits"]
        except Exception:  # not in ONNX Runtime, or not between such ends
            continue
        if logits.shape != (images.shape[0], 3) or not np.isfinite(logits).all():
            continue
        pack.add("float", wrap, images, logits, {})
        wrapped += 1
    return wrapped


def add_cases(pack, folder):
    for path in sorted(glob.glob(os.path.join(folder, "*.onnx"))):
        name = os.path.splitext(os.path.basename(path))[0]
        model = onnx.load(path)
        ops = {node.op_type for node in model.graph.node}
        kind = "float" if "QuantizeLinear" not in ops else "qdq" if name.startswith("ort_") else "mixed"
        shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
        scale = np.float32(2.0 ** -6 if kind == "qdq" else 2.0 ** -5)
        pixels = np.random.default_rng(1).integers(-128, 128, [shape[0] if shape[0] > 1 else 2] + shape[1:])
        images = (pixels * scale).astype(np.float32)
        if model.ByteSize() > 2 * LARGEST_MODEL:
            continue
        try:
            logits = run(model, images)[model.graph.output[0].name]
        except ort.capi.onnxruntime_pybind11_state.InvalidGraph:
            continue
        except ort.capi.onnxruntime_pybind11_state.Fail as error:
            print(f"{name}: {error}")
            continue
        pack.add(kind, model, images, logits, {}, name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--node-tests", action="store_true")
    parser.add_argument("--cases")
    a = parser.parse_args()
    pack = Pack()
    if a.node_tests:
        print("node tests:", wrap_node_tests(pack))
    if a.cases:
        add_cases(pack, a.cases)
    made, seed = 0, a.seed * 1000000
    while made < a.random:
        seed += 1
        rng = np.random.default_rng(seed)
        net = Random(rng, ["float", "qdq", "float", "qdq", "mixed"][made % 5])
        try:
            model = net.build()
            logits, codes = net.expected(model)
        except ort.capi.onnxruntime_pybind11_state.Fail:
            continue
        except (ort.capi.onnxruntime_pybind11_state.InvalidArgument, ort.capi.onnxruntime_pybind11_state.InvalidGraph,
                ort.capi.onnxruntime_pybind11_state.NotImplemented, ort.capi.onnxruntime_pybind11_state.RuntimeException):
            continue
        if logits.ndim != 2 or logits.shape[1] < 2 or logits.shape[1] > 64 or not np.isfinite(logits).all() or model.ByteSize() > LARGEST_MODEL:
            continue
        pack.add(net.kind, model, net.images, logits, codes)
        made += 1
    with open(a.out, "wb") as file:
        file.write(pack.graph.SerializeToString())
    print(f"{pack.count} networks, {made} random, {pack.graph.ByteSize()} bytes; onnx {onnx.__version__}, ONNX Runtime {ort.__version__}")


if __name__ == "__main__":
    sys.exit(main())
