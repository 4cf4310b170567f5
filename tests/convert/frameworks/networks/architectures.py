# SPDX-License-Identifier: Apache-2.0
"""Ten known architectures, small and with random weights, as exported programs and as ONNX, made in PyTorch's
environment: ``python architectures.py DIRECTORY [NAME...]``.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional


def conv(i: int, o: int, k: int = 3, s: int = 1, *, g: int = 1, act: Any = nn.ReLU) -> Any:
    """Convolution, batch normalization, activation."""
    layers = [nn.Conv2d(i, o, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([act()] if act else []))


class Residual(nn.Module):
    """x + layers(x), with a shortcut of its own where shapes differ, and an activation behind."""

    def __init__(self, layers: nn.Module, shortcut: nn.Module | None = None, act: bool = True) -> None:
        super().__init__()
        self.layers, self.shortcut, self.act = layers, shortcut or nn.Identity(), act

    def forward(self, x: Any) -> Any:
        y = self.layers(x) + self.shortcut(x)
        return torch.relu(y) if self.act else y


class Squeeze(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, c: int, gate: type[nn.Module]) -> None:
        super().__init__()
        self.down, self.up, self.gate = (
            nn.Conv2d(c, max(2, c // 4), 1),
            nn.Conv2d(max(2, c // 4), c, 1),
            gate(),
        )

    def forward(self, x: Any) -> Any:
        return x * self.gate(self.up(torch.relu(self.down(functional.adaptive_avg_pool2d(x, 1)))))


def head(c: int, classes: int = 10) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))


def separable(i: int, o: int, s: int = 1) -> nn.Module:
    return nn.Sequential(conv(i, i, 3, s, g=i), conv(i, o, 1))


def inverted(
    i: int, o: int, s: int, e: int, k: int = 3, *, act: Any = nn.ReLU6, gate: Any = None
) -> nn.Module:
    """MobileNetV2's and V3's block."""
    squeeze = [Squeeze(i * e, gate)] if gate else []
    layers = nn.Sequential(
        conv(i, i * e, 1, act=act),
        conv(i * e, i * e, k, s, g=i * e, act=act),
        *squeeze,
        conv(i * e, o, 1, act=None),
    )
    return Residual(layers, act=False) if i == o and s == 1 else layers


def mobilenet_v1() -> tuple[nn.Module, Any]:
    return nn.Sequential(
        conv(3, 8, 3, 2),
        separable(8, 16),
        separable(16, 24, 2),
        separable(24, 24),
        separable(24, 32, 2),
        head(32, 2),
    ), (1, 3, 48, 48)


def mobilenet_v2() -> tuple[nn.Module, Any]:
    return nn.Sequential(
        conv(3, 8, 3, 2, act=nn.ReLU6),
        inverted(8, 8, 1, 2),
        inverted(8, 12, 2, 4),
        inverted(12, 12, 1, 4),
        inverted(12, 16, 2, 4),
        conv(16, 48, 1, act=nn.ReLU6),
        head(48),
    ), (1, 3, 32, 32)


def mobilenet_v3_small() -> tuple[nn.Module, Any]:
    swish, gate = nn.Hardswish, nn.Hardsigmoid
    return nn.Sequential(
        conv(3, 8, 3, 2, act=swish),
        inverted(8, 8, 2, 2, act=nn.ReLU, gate=gate),
        inverted(8, 12, 2, 3, act=nn.ReLU),
        inverted(12, 12, 1, 3, 5, act=swish, gate=gate),
        conv(12, 32, 1, act=swish),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 32),
        swish(),
        nn.Linear(32, 10),
    ), (1, 3, 32, 32)


def efficientnet_lite() -> tuple[nn.Module, Any]:
    return nn.Sequential(
        conv(3, 8, 3, 2, act=nn.ReLU6),
        inverted(8, 8, 1, 1),
        inverted(8, 12, 2, 6),
        inverted(12, 12, 1, 6, 5),
        inverted(12, 16, 2, 6, 5),
        conv(16, 48, 1, act=nn.ReLU6),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(48, 10),
    ), (1, 3, 40, 40)


def basic(i: int, o: int, s: int = 1) -> nn.Module:
    shortcut = conv(i, o, 1, s, act=None) if i != o or s != 1 else None
    return Residual(nn.Sequential(conv(i, o, 3, s), conv(o, o, act=None)), shortcut)


def resnet8() -> tuple[nn.Module, Any]:
    return nn.Sequential(conv(3, 8), basic(8, 8), basic(8, 12, 2), basic(12, 16, 2), head(16)), (1, 3, 32, 32)


def resnet18_narrow() -> tuple[nn.Module, Any]:
    stages = [
        basic(a, b, s)
        for a, b, s in (
            (4, 4, 1),
            (4, 4, 1),
            (4, 6, 2),
            (6, 6, 1),
            (6, 8, 2),
            (8, 8, 1),
            (8, 12, 2),
            (12, 12, 1),
        )
    ]
    return nn.Sequential(conv(3, 4, 7, 2), nn.MaxPool2d(3, 2, 1), *stages, head(12)), (1, 3, 64, 64)


def ds_cnn() -> tuple[nn.Module, Any]:
    first = nn.Sequential(nn.Conv2d(1, 16, (10, 4), 2, (5, 1)), nn.BatchNorm2d(16), nn.ReLU())
    return nn.Sequential(first, *(separable(16, 16) for _ in range(4)), head(16, 12)), (1, 1, 49, 10)


def conv1(i: int, o: int, k: int, s: int = 1, d: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv1d(i, o, k, s, d * (k // 2), d), nn.BatchNorm1d(o), nn.ReLU())


def tc_resnet() -> tuple[nn.Module, Any]:
    def block(i: int, o: int) -> nn.Module:
        inner = nn.Sequential(conv1(i, o, 9, 2), nn.Conv1d(o, o, 9, 1, 4), nn.BatchNorm1d(o))
        return Residual(inner, conv1(i, o, 1, 2))

    return nn.Sequential(
        conv1(10, 8, 3), block(8, 12), block(12, 16), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 12)
    ), (1, 10, 49)


class Causal(nn.Module):
    """A dilated convolution that sees the past alone."""

    def __init__(self, c: int, d: int) -> None:
        super().__init__()
        self.conv, self.past = nn.Conv1d(c, c, 3, dilation=d), 2 * d

    def forward(self, x: Any) -> Any:
        return torch.relu(self.conv(functional.pad(x, (self.past, 0))))


def tcn() -> tuple[nn.Module, Any]:
    blocks = [Residual(nn.Sequential(Causal(8, d), Causal(8, d))) for d in (1, 2, 4)]
    return nn.Sequential(nn.Conv1d(3, 8, 1), *blocks, nn.Conv1d(8, 5, 1)), (1, 3, 40)


class Spotter(nn.Module):
    """A convolution over time, a GRU, and a class of its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.front, self.gru = nn.Conv1d(10, 12, 3, 2, 1), nn.GRU(12, 16, batch_first=True)
        self.head = nn.Linear(16, 12)

    def forward(self, x: Any) -> Any:
        states, _ = self.gru(torch.relu(self.front(x)).transpose(1, 2))
        return self.head(states[:, -1])


class Attention(nn.Module):
    """A block of a transformer."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = nn.MultiheadAttention(d, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x: Any) -> Any:
        y = self.n1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.n2(x))


class Vit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.blocks = nn.Conv2d(3, 16, 8, 8), nn.Sequential(Attention(16), Attention(16))
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 17, 16))
        self.head = nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.places
        return self.head(self.blocks(x)[:, 0])


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(1, 4), conv(4, 8), conv(8, 12)
        self.up1, self.d = nn.ConvTranspose2d(12, 8, 2, 2), conv(16, 8)
        self.up2, self.e, self.out = (
            nn.Upsample(scale_factor=2, mode="bilinear"),
            conv(12, 4),
            nn.Conv2d(4, 1, 1),
        )

    def forward(self, x: Any) -> Any:
        a = self.a(x)
        b = self.b(functional.max_pool2d(a, 2))
        y = self.d(torch.cat([self.up1(self.c(functional.max_pool2d(b, 2))), b], 1))
        return torch.sigmoid(self.out(self.e(torch.cat([self.up2(y), a], 1))))


class Yolo(nn.Module):
    """Two scales; each cell's box and scores."""

    def __init__(self) -> None:
        super().__init__()
        act = nn.SiLU
        self.stem = nn.Sequential(conv(3, 8, 3, 2, act=act), conv(8, 12, 3, 2, act=act))
        self.deep = conv(12, 16, 3, 2, act=act)
        self.lateral, self.near, self.far = conv(28, 12, act=act), nn.Conv2d(12, 7, 1), nn.Conv2d(16, 7, 1)

    def forward(self, x: Any) -> Any:
        fine = self.stem(x)
        deep = self.deep(fine)
        fine = self.lateral(torch.cat([functional.interpolate(deep, scale_factor=2), fine], 1))
        cells = [h.flatten(2).transpose(1, 2) for h in (self.near(fine), self.far(deep))]
        both = torch.cat(cells, 1)
        return {"boxes": both[..., :4], "scores": torch.sigmoid(both[..., 4:])}


ARCHITECTURES: dict[str, Callable[[], tuple[nn.Module, Any]]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": mobilenet_v3_small,
    "efficientnet_lite": efficientnet_lite,
    "resnet8": resnet8,
    "resnet18_narrow": resnet18_narrow,
    "ds_cnn": ds_cnn,
    "tc_resnet": tc_resnet,
    "tcn": tcn,
    "gru_spotter": lambda: (Spotter(), (1, 10, 49)),
    "tiny_vit": lambda: (Vit(), (1, 3, 32, 32)),
    "unet": lambda: (UNet(), (1, 1, 24, 24)),
    "yolo": lambda: (Yolo(), (1, 3, 32, 32)),
}


def normalized(model: nn.Module, shape: Any) -> None:
    """Statistics as after some training: with those of a new model signals die away in deep networks."""
    model.train()
    with torch.no_grad():
        for _ in range(4):
            model(torch.randn(8, *shape[1:]))


def main() -> None:
    """Writes NAME.pt2 and NAME.onnx for each."""
    warnings.simplefilter("ignore")
    directory, names = Path(sys.argv[1]), sys.argv[2:] or list(ARCHITECTURES)
    for name in names:
        torch.manual_seed(len(name))
        model, shape = ARCHITECTURES[name]()
        normalized(model, shape)
        program = torch.export.export(model.eval(), (torch.randn(shape),))
        torch.export.save(program, directory / f"{name}.pt2")
        torch.onnx.export(
            model, (torch.randn(shape),), directory / f"{name}.onnx", dynamo=False, verbose=False
        )


if __name__ == "__main__":
    main()
