"""onnx_import_train.py OUT.pt --data ROOT: trains a ResNet for some minutes in PyTorch, so that its top-1 means something.

CIFAR-10, normalized as PyTorch's users do; flipped and shifted images; writes the state_dict.
"""

import argparse
import pathlib
import time

import torch
from torch import nn

import torch_resnet

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def read(files):
    """uint8 [N, 3, 32, 32] and labels [N]"""
    data = torch.cat([torch.frombuffer(bytearray(pathlib.Path(f).read_bytes()), dtype=torch.uint8) for f in files])
    records = data.reshape(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].long()


def normalize(pixels):
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    return (pixels.float() / 255 - mean) / std


def augment(images):
    padded = nn.functional.pad(images, (4, 4, 4, 4))
    y, x = (int(v) for v in torch.randint(9, (2,)))
    images = padded[:, :, y : y + 32, x : x + 32]
    return images.flip(3) if torch.rand(()) < 0.5 else images


def train(model, images, labels, epochs, batch, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps = len(labels) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * steps)
    loss_function = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        start, total = time.time(), 0.0
        for indices in torch.randperm(len(labels))[: steps * batch].split(batch):
            x = normalize(augment(images[indices])).contiguous(memory_format=torch.channels_last)
            loss = loss_function(model(x), labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"PyTorch, epoch {epoch + 1}/{epochs}: loss {total / steps:.3f}, {time.time() - start:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--model", choices=torch_resnet.MODELS, default="resnet20")
    parser.add_argument("--data", default="data")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.2)
    a = parser.parse_args()
    torch.manual_seed(1)
    images, labels = read([f"{a.data}/cifar10/data_batch_{i}.bin" for i in range(1, 6)])
    model = torch_resnet.MODELS[a.model]().to(memory_format=torch.channels_last)
    train(model, images, labels, a.epochs, a.batch, a.lr)
    torch.save(model.state_dict(), a.out)


if __name__ == "__main__":
    main()
