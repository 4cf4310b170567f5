# SPDX-License-Identifier: Apache-2.0
"""The settings of a conversion, and what it notes on its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tinyserve import __version__
from tinyserve.bundle import Cost, Tried
from tinyserve.datasets.named import AS_IT_IS, Reading
from tinyserve.features.spec import Spec


@dataclass(frozen=True)
class FloatShare:
    """Instructions of one inference on ``board`` in layers that compute in float32, with the conversions from
    and to integers around them, of ``total``."""

    board: str
    instructions: int
    total: int


@dataclass(frozen=True)
class Options:
    """The settings of a conversion beyond its source, data and output.

    - ``input_shapes``: per input, for models with open dimensions.
    - ``signature``: of a SavedModel that has several.
    - ``custom``: "module:Name" of layers that Keras does not know.
    - ``per_channel``: weights have a scale per output channel.
    - ``keep_float``: tensors whose operators stay in float32.
    - ``clip``: ranges of activations at a percentile ("99.9") or where the error is least ("mse"), instead
      of the minimum and maximum.
    - ``engine``: "tflm" lets operators pass that the AOT compiler lacks.
    - ``operators``: directories of operators from outside.
    - ``mlperf_id``: what the firmware answers to MLPerf Tiny's runner; '' to know it by the shapes.
    - ``labels``: names of the classes in the outputs' order, for sources that do not know them.
    - ``held_samples``: how many samples are kept for checks, at most.
    - ``min_accuracy``: what "auto" must hold (see ``auto``).
    - ``keep_layout``: images of an ONNX or PyTorch model stay channels first.
    - ``trust``: pickles may run their code when they are loaded (scikit-learn).
    - ``timeout_s``: how long a converter may be silent.
    - ``measure``: what a .tflite costs on a board, for the costs of variants; None: not measured.
    - ``float_share``: what the layers of a .tflite that stay in float32 cost on a board; None: not measured.
    - ``features``: steps in front of the model, which then takes raw samples.
    - ``reading``: how samples are made of images, CSV and audio.
    """

    input_shapes: Sequence[Sequence[int]] = ()
    signature: str = ""
    custom: Sequence[str] = ()
    per_channel: bool = True
    keep_float: Sequence[str] = ()
    clip: str = ""
    engine: str = "aot"
    operators: tuple[Path, ...] = ()
    mlperf_id: str = ""
    labels: tuple[str, ...] = ()
    held_samples: int = 50
    min_accuracy: float = 0.98
    trust: bool = False
    keep_layout: bool = False
    timeout_s: float = 600.0
    measure: Callable[[bytes], Cost] | None = field(default=None, repr=False, compare=False)
    float_share: Callable[[bytes], FloatShare] | None = field(default=None, repr=False, compare=False)
    features: Spec | None = None
    reading: Reading = AS_IT_IS

    @property
    def is_stream(self) -> bool:
        """Whether the features' samples follow one another."""
        return self.features is not None and self.features.input.stream


@dataclass
class Record:
    """What a conversion gathers for the manifest on its way."""

    tools: dict[str, str] = field(default_factory=lambda: {"tinyserve": __version__})
    notes: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    variants: list[Tried] = field(default_factory=list)
