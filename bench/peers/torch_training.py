"""How many images per second PyTorch trains a model with: what lenet_train.py and resnet_train.py share.

The data are random images that lie in memory as float tensors in the right layout, and a batch is a slice of them: no
loading, no shuffling, no augmentation is counted.
"""

import argparse
import json
import statistics
import sys
import time

import torch
from torch import nn

FORMATS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}


def parser(description):
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--batch-size", type=int, default=128)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--windows", type=int, default=5)
    options.add_argument("--window-seconds", type=float, default=1.0)
    return options


def rates(make_model, image_shape, options, images=60000, layout="nchw", precision="fp32", fused=True, compiled=False):
    """Images per second in each of several timed windows, after a warm-up of one window."""
    torch.manual_seed(1)
    model = make_model().to(memory_format=FORMATS[layout])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True, fused=fused)
    loss_function = nn.CrossEntropyLoss()
    data = torch.rand(images, *image_shape).to(memory_format=FORMATS[layout])
    labels = torch.randint(10, (images,))
    run = torch.compile(model) if compiled else model

    first = 0
    measured = []
    for _ in range(options.windows + 1):
        done = 0
        start = time.perf_counter()
        while time.perf_counter() - start < options.window_seconds or done == 0:
            if first + options.batch_size > len(data):
                first = 0
            last = first + options.batch_size
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
                loss = loss_function(run(data[first:last]), labels[first:last])
            loss.backward()
            optimizer.step()
            first = last
            done += options.batch_size
        measured.append(done / (time.perf_counter() - start))
    if not torch.isfinite(loss):
        sys.exit("error: the training diverged, its rate would mean nothing")
    return measured[1:]


def report(options, variants):
    """Prints one JSON object: the median of each variant, {name: rates}, and the best."""
    medians = {name: statistics.median(measured) for name, measured in variants.items()}
    best = max(medians, key=medians.get)
    print(json.dumps({"torch": torch.__version__, "threads": options.threads, "batch_size": options.batch_size,
                      "best": best, "images_per_second": round(medians[best], 2),
                      "all": {name: round(value, 2) for name, value in medians.items()}}))
