"""PyTorch's side of resnet_train.sh: how many images per second it trains a ResNet for 32x32 images with.

resnet50 and resnet18 have ImageNet's stages behind a 3x3 stem of stride 1 without max-pool; resnet20 is the one of
He et al. 2015, sec. 4.2, with 1x1 convolutions where the shape changes. Layouts, and where asked for torch.compile; the best
counts. Prints one JSON object on stdout.
"""

import torch
from torch import nn

import torch_training


def conv_bn(inputs, outputs, kernel, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """act(convolutions(x) + shortcut(x))"""

    def __init__(self, inputs, outputs, stride, convolutions):
        super().__init__()
        self.convolutions = convolutions
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv_bn(inputs, outputs, 1, stride)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.convolutions(x) + self.shortcut(x))


def basic(inputs, planes, stride):
    return Block(inputs, planes, stride, nn.Sequential(
        conv_bn(inputs, planes, 3, stride), nn.ReLU(inplace=True), conv_bn(planes, planes, 3))), planes


def bottleneck(inputs, planes, stride):
    return Block(inputs, 4 * planes, stride, nn.Sequential(
        conv_bn(inputs, planes, 1), nn.ReLU(inplace=True), conv_bn(planes, planes, 3, stride), nn.ReLU(inplace=True),
        conv_bn(planes, 4 * planes, 1))), 4 * planes


def resnet(block, stem, stages):
    """stages: (planes, blocks, stride of the first block)"""
    layers, channels = [conv_bn(3, stem, 3), nn.ReLU(inplace=True)], stem
    for planes, blocks, stride in stages:
        for i in range(blocks):
            layer, channels = block(channels, planes, stride if i == 0 else 1)
            layers.append(layer)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


MODELS = {
    "resnet20": lambda: resnet(basic, 16, [(16, 3, 1), (32, 3, 2), (64, 3, 2)]),
    "resnet18": lambda: resnet(basic, 64, [(64, 2, 1), (128, 2, 2), (256, 2, 2), (512, 2, 2)]),
    "resnet50": lambda: resnet(bottleneck, 64, [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]),
}


def main():
    parser = torch_training.parser(__doc__)
    parser.add_argument("--model", choices=MODELS, default="resnet50")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--layouts", nargs="+", choices=tuple(torch_training.FORMATS), default=tuple(torch_training.FORMATS))
    parser.add_argument("--compile", action="store_true", help="try torch.compile as well (needs minutes to compile)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch_training.report(options, {
        layout + (", compiled" if compiled else ""):
            torch_training.rates(MODELS[options.model], (3, 32, 32), options, images=4 * options.batch_size,
                                 layout=layout, precision=options.precision, compiled=compiled)
        for layout in options.layouts for compiled in ((False, True) if options.compile else (False,))})


if __name__ == "__main__":
    main()
