# SPDX-License-Identifier: Apache-2.0
"""Small random PyTorch modules as exported programs, made in the front end's environment:
``python pytorch_networks.py DIRECTORY FIRST COUNT``. The same seed gives the same module.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Draw = random.Random


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


class First(nn.Module):
    """The sequence that a recurrent layer or attention gives."""

    def __init__(self, layer: nn.Module, itself: bool = False) -> None:
        super().__init__()
        self.layer, self.itself = layer, itself

    def forward(self, x: Any) -> Any:
        return (self.layer(x, x, x) if self.itself else self.layer(x))[0]


_ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Mish, nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.ELU, nn.CELU,
    nn.SELU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.Softsign, nn.LogSigmoid,
    lambda: nn.GELU(approximate="tanh"),
)  # fmt: skip


def image_layer(draw: Draw, shape: tuple[int, ...]) -> nn.Module:
    """For (1, C, H, W)."""
    c, h = shape[1], min(shape[2:])
    k = draw.choice([k for k in (1, 2, 3) if k <= h])
    groups = draw.choice([1, 1, c])
    choices: list[Callable[[], nn.Module]] = [
        lambda: nn.Conv2d(c, groups * draw.randint(1, 3), k, draw.choice((1, 2)), k // 2, groups=groups),
        lambda: nn.Conv2d(
            c, 6, k, padding="same", padding_mode=draw.choice(("zeros", "reflect", "replicate"))
        ),
        lambda: nn.ConvTranspose2d(c, draw.randint(1, 4), k, draw.choice((1, 2)), padding=k // 2),
        lambda: nn.MaxPool2d(k, draw.choice((1, 2)), k // 2, ceil_mode=draw.random() < 0.3),
        lambda: nn.AvgPool2d(k, 2, k // 2, count_include_pad=draw.random() < 0.5),
        lambda: nn.AdaptiveAvgPool2d((1, 1)),
        lambda: nn.BatchNorm2d(c),
        lambda: nn.GroupNorm(2 if c % 2 == 0 else 1, c),
        lambda: nn.PixelShuffle(2) if c % 4 == 0 else nn.Upsample(scale_factor=2),
        lambda: nn.Upsample(scale_factor=2, mode=draw.choice(("bilinear", "bicubic", "nearest"))),
        lambda: nn.ZeroPad2d((1, 0, 2, 1)),
        lambda: Apply(lambda x: functional.pad(x, (1, 1, 1, 1), mode="circular")),
        lambda: Apply(lambda x: x * x.mean((2, 3), keepdim=True)),
        lambda: Apply(lambda x: torch.cat([x, x.flip(1)], 1)),
        draw.choice(_ACTIVATIONS),
    ]
    return draw.choice(choices)()


def sequence_layer(draw: Draw, shape: tuple[int, ...]) -> nn.Module:
    """For (1, T, F)."""
    f = shape[2]
    units = draw.randint(2, 6)
    choices: list[Callable[[], nn.Module]] = [
        lambda: nn.Linear(f, units),
        lambda: nn.LayerNorm(f),
        lambda: First(
            nn.LSTM(f, units, draw.choice((1, 2)), batch_first=True, bidirectional=draw.random() < 0.5)
        ),
        lambda: First(nn.GRU(f, units, batch_first=True, bidirectional=draw.random() < 0.5)),
        lambda: First(nn.RNN(f, units, batch_first=True)),
        lambda: First(nn.MultiheadAttention(f, 1, batch_first=True), True),
        lambda: Apply(lambda x: functional.scaled_dot_product_attention(x, x, x)),
        lambda: Apply(lambda x: torch.einsum("abc,adc->abd", x, x)),
        lambda: nn.Sequential(
            Apply(lambda x: x.transpose(1, 2)), nn.Conv1d(f, units, 1), Apply(lambda x: x.transpose(1, 2))
        ),
        lambda: Apply(lambda x: x.softmax(-1) + x.cumsum(1) * 0.1),
        draw.choice(_ACTIVATIONS),
    ]
    return draw.choice(choices)()


class Network(nn.Module):
    """Layers one after the other; what the middle gives is an output, too."""

    def __init__(self, layers: list[nn.Module], named: bool) -> None:
        super().__init__()
        self.layers, self.named = nn.ModuleList(layers), named

    def forward(self, x: Any) -> Any:
        middle = x
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index == len(self.layers) // 2:
                middle = x
        return {"last": x, "middle": torch.tanh(middle)} if self.named else x


def network(seed: int) -> tuple[nn.Module, Any]:
    """The module, for inference, and an example of its input."""
    torch.manual_seed(seed)
    draw = random.Random(seed)
    images = draw.random() < 0.6
    shape = (
        (1, draw.randint(1, 6), *(draw.randint(4, 9) for _ in range(2)))
        if images
        else (1, draw.randint(2, 8), draw.randint(2, 7))
    )
    example = torch.randn(shape)
    layers, x = list[nn.Module](), example
    for _ in range(draw.randint(2, 6)):
        layer = (image_layer if images else sequence_layer)(draw, tuple(x.shape)).eval()
        try:
            made = layer(x)
        except (RuntimeError, ValueError):
            continue
        if made.numel() == 0 or made.numel() > 4000:
            continue
        layers, x = [*layers, layer], made
    return Network(layers or [nn.Sigmoid()], draw.random() < 0.4).eval(), example


def main() -> None:
    """Writes SEED.pt2 for each seed."""
    warnings.simplefilter("ignore")
    directory, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for seed in range(first, first + count):
        model, example = network(seed)
        torch.export.save(torch.export.export(model, (example,)), directory / f"{seed}.pt2")


if __name__ == "__main__":
    main()
