"""One peer of infer.py as a process of its own, which does as it is told line by line (JSON on stdin, JSON on stdout).

    {"do": "load", "key": KEY, "model": FILE.onnx, "variant": NAME, "batch": N, "threads": N,
     "images": FILE, "type": "u8" | "f32", "count": N, "shape": [C, H, W]}
    {"do": "time", "key": KEY, "seconds": S}    median milliseconds of one batch
    {"do": "predict", "key": KEY}               classes of all images
    {"do": "clear"}                             forgets every model
"""

import json
import statistics
import sys
import time

WARM_UP, LEAST_RUNS = 3, 5


def serve(load):
    """load(request) -> (run(), predict()): run computes the first batch; predict gives the classes of all images."""
    models = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "load":
                run, predict = models[request["key"]] = load(request)
                for _ in range(WARM_UP):
                    run()
                answer = {}
            elif request["do"] == "time":
                answer = {"ms": median_ms(models[request["key"]][0], request["seconds"])}
            elif request["do"] == "predict":
                answer = {"predictions": models[request["key"]][1]()}
            else:
                models.clear()
                answer = {}
        except Exception as error:  # whatever a peer throws is its answer
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), flush=True)


def median_ms(run, seconds):
    times = []
    begin = start = time.perf_counter()
    while len(times) < LEAST_RUNS or start - begin < seconds:
        run()
        end = time.perf_counter()
        times.append(end - start)
        start = end
    return 1000 * statistics.median(times)


def read_images(request):
    import numpy as np

    dtype = np.uint8 if request["type"] == "u8" else np.float32
    return np.fromfile(request["images"], dtype).reshape(-1, *request["shape"])


def first_batch(images, batch):
    import numpy as np

    return np.ascontiguousarray(np.resize(images, (batch, *images.shape[1:])))


def load_onnxruntime(request):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = request["threads"]
    options.log_severity_level = 3
    if request["variant"] == "exact":
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(request["model"], options, providers=["CPUExecutionProvider"])
    images, batch = read_images(request), request["batch"]
    # Bound once, so that a run does not copy or allocate.
    binding = session.io_binding()
    name, result = session.get_inputs()[0].name, session.get_outputs()[0].name
    first = first_batch(images, batch)
    logits = session.run(None, {name: first})[0]
    bound = [ort.OrtValue.ortvalue_from_numpy(x) for x in (first, logits)]
    binding.bind_ortvalue_input(name, bound[0])
    binding.bind_ortvalue_output(result, bound[1])

    def predict():
        classes = []
        for i in range(0, len(images), batch):
            classes += session.run(None, {name: images[i : i + batch]})[0].argmax(1).tolist()
        return classes

    memory = first, logits, bound  # lives as long as run

    def run():
        session.run_with_iobinding(binding)
        return memory

    return run, predict


def load_openvino(request):
    import openvino as ov

    core, batch = ov.Core(), request["batch"]
    images = read_images(request)
    streams = request["threads"] if request["variant"] == "streams" else 1
    part = batch // streams
    model = core.read_model(request["model"])
    model.reshape([part, *images.shape[1:]])
    compiled = core.compile_model(model, "CPU", {
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT", "INFERENCE_NUM_THREADS": request["threads"],
        "NUM_STREAMS": streams, "INFERENCE_PRECISION_HINT": "f32"})  # by default bf16 where the CPU has it
    first = first_batch(images, batch)
    inputs = [ov.Tensor(first[i * part : (i + 1) * part]) for i in range(streams)]  # copies
    requests = [compiled.create_infer_request() for _ in range(streams)]
    for infer, tensor in zip(requests, inputs):
        infer.set_input_tensor(tensor)

    def run():
        if streams == 1:
            return requests[0].infer(share_outputs=True)
        for infer in requests:
            infer.start_async()
        for infer in requests:
            infer.wait()

    def predict():
        classes = []
        for i in range(0, len(images), part):
            chunk = first_batch(images[i : i + part], part)
            logits = compiled(chunk)[0]
            classes += logits.argmax(1)[: len(images[i : i + part])].tolist()
        return classes

    return run, predict


if __name__ == "__main__":
    serve({"onnxruntime": load_onnxruntime, "openvino": load_openvino}[sys.argv[1]])
