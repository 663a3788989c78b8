"""PyTorch's side of lenet_train.sh: how many images per second it trains LeNet with.

The network of configs/lenet.yaml: padding 2, 6-16-120-84, ReLU, 2x2 max-pool; SGD with momentum, cross entropy. Two layouts
by two implementations of the optimizer; the best counts. Prints one JSON object on stdout.
"""

import torch
from torch import nn

import torch_training


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def main():
    options = torch_training.parser(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    torch_training.report(options, {
        layout + (", fused SGD" if fused else ""):
            torch_training.rates(lenet, (1, 28, 28), options, layout=layout, fused=fused)
        for layout in ("nchw", "channels_last") for fused in (False, True)})


if __name__ == "__main__":
    main()
