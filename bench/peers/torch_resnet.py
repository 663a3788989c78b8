"""Residual networks for 32x32 images in PyTorch, their tensors named as torchvision names them: conv1, bn1, layer1.0.conv1,
layer2.0.downsample.0, fc. As in models/resnet.h: a 3x3 stem of stride 1 without max-pool, stride in a bottleneck's 3x3.
"""

import torch
from torch import nn


def conv_bn(inputs, outputs, kernel, stride=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)


class Block(nn.Module):
    """kernels: (3, 3), or (1, 3, 1) with four times the planes at the end."""

    def __init__(self, inputs, planes, stride, kernels):
        super().__init__()
        self.outputs = planes if len(kernels) == 2 else 4 * planes
        self.depth = len(kernels)
        channels = [inputs] + [planes] * (self.depth - 1) + [self.outputs]
        strided = 0 if self.depth == 2 else 1
        for i, kernel in enumerate(kernels):
            conv, bn = conv_bn(channels[i], channels[i + 1], kernel, stride if i == strided else 1)
            setattr(self, f"conv{i + 1}", conv)
            setattr(self, f"bn{i + 1}", bn)
        self.relu = nn.ReLU(inplace=True)
        same = stride == 1 and inputs == self.outputs
        self.downsample = None if same else nn.Sequential(*conv_bn(inputs, self.outputs, 1, stride))

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.depth:
                y = self.relu(y)
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, kernels, width, blocks, classes=10):
        super().__init__()
        self.conv1, self.bn1 = conv_bn(3, width, 3)
        self.relu = nn.ReLU(inplace=True)
        self.stages = len(blocks)
        channels = width
        for stage, count in enumerate(blocks):
            layers = []
            for i in range(count):
                layers.append(Block(channels, width << stage, 2 if stage > 0 and i == 0 else 1, kernels))
                channels = layers[-1].outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(torch.flatten(self.avgpool(x), 1))


MODELS = {
    "resnet20": lambda: ResNet((3, 3), 16, (3, 3, 3)),
    "resnet18": lambda: ResNet((3, 3), 64, (2, 2, 2, 2)),
    "resnet50": lambda: ResNet((1, 3, 1), 64, (3, 4, 6, 3)),
}
