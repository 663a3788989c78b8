"""PyTorch's side of lenet_train.sh: how many images per second it trains LeNet with.

The network of configs/lenet.yaml: padding 2, 6-16-120-84, ReLU, 2x2 max-pool; SGD with momentum, cross entropy. The data
are 60,000 random images that lie in memory as float tensors in the right layout, and a batch is a slice of them: no
loading, no shuffling, no augmentation is counted. Two layouts by two implementations of the optimizer; the best counts.
Prints one JSON object on stdout.
"""

import argparse
import json
import statistics
import sys
import time

import torch
from torch import nn


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def rates(layout, fused, batch_size, windows, window_seconds):
    """Images per second in each of several timed windows, after a warm-up of one window."""
    torch.manual_seed(1)
    memory_format = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}[layout]
    model = lenet().to(memory_format=memory_format)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True, fused=fused)
    loss_function = nn.CrossEntropyLoss()
    images = torch.rand(60000, 1, 28, 28).to(memory_format=memory_format)
    labels = torch.randint(10, (60000,))

    first = 0
    measured = []
    for _ in range(windows + 1):
        done = 0
        start = time.perf_counter()
        while time.perf_counter() - start < window_seconds:
            if first + batch_size > len(images):
                first = 0
            optimizer.zero_grad(set_to_none=True)
            loss = loss_function(model(images[first:first + batch_size]), labels[first:first + batch_size])
            loss.backward()
            optimizer.step()
            first += batch_size
            done += batch_size
        measured.append(done / (time.perf_counter() - start))
    if not torch.isfinite(loss):
        sys.exit("error: the training diverged, its rate would mean nothing")
    return measured[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--window-seconds", type=float, default=1.0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    medians = {}
    for layout in ("nchw", "channels_last"):
        for fused in (False, True):
            name = layout + (", fused SGD" if fused else "")
            medians[name] = statistics.median(
                rates(layout, fused, options.batch_size, options.windows, options.window_seconds))
    best = max(medians, key=medians.get)
    print(json.dumps({"torch": torch.__version__, "threads": options.threads, "batch_size": options.batch_size,
                      "best": best, "images_per_second": round(medians[best]),
                      "all": {name: round(value) for name, value in medians.items()}}))


if __name__ == "__main__":
    main()
