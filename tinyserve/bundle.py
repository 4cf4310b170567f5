"""The bundle: a directory with a converted model and all that later steps want to know about it.

::

    build/kws/
      model.tflite       what is compiled
      manifest.json      Manifest, below
      samples.npz        held samples: input_0.. (quantized, N first), expected_0.., float_input_0.., label (optional)

It is written to a temporary sibling and renamed, so that a half-written bundle never exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.errors import FileSystemError, ModelError

FORMAT = 1
MODEL_FILE = "model.tflite"
MANIFEST_FILE = "manifest.json"
SAMPLES_FILE = "samples.npz"


class TensorInfo(msgspec.Struct, frozen=True):
    """An input or output as the compiled model has it. ``scale`` is 0.0 for unquantized tensors."""

    name: str
    shape: list[int]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


class Source(msgspec.Struct, frozen=True):
    """The trained model that the bundle was made from."""

    name: str
    sha256: str
    framework: str


class OutputAccuracy(msgspec.Struct, frozen=True):
    """How one output of the quantized model compares with the original on the held samples."""

    name: str
    sqnr_db: float | None
    max_error: float
    top1_agreement: float | None


class InputStatistics(msgspec.Struct, frozen=True):
    """The representative data of one input, in real units."""

    name: str
    samples: int
    minimum: float
    maximum: float
    mean: float
    percentiles: dict[str, float]


class Manifest(msgspec.Struct, kw_only=True):
    """manifest.json. ``arena_bytes`` is of the portable build with default options."""

    format: int = FORMAT
    name: str
    model_sha256: str
    source: Source
    quantize: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    ops: dict[str, int]
    macs: int
    arena_bytes: int
    samples: int
    expected_from: str
    tools: dict[str, str]
    accuracy: list[OutputAccuracy] = []
    representative: list[InputStatistics] = []
    mlperf_id: str = ""
    input_layout: str = "NHWC"
    notes: list[str] = []


@dataclass(frozen=True)
class Samples:
    """Held samples: per input and per output one array with the sample axis first (batch axis dropped into it:
    shape (N, *tensor.shape[1:]) for batch 1)."""

    inputs: list[npt.NDArray[Any]]
    expected: list[npt.NDArray[Any]]
    labels: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.inputs[0]) if self.inputs else 0


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk."""

    path: Path
    manifest: Manifest

    @property
    def model_path(self) -> Path:
        return self.path / MODEL_FILE

    def model_bytes(self) -> bytes:
        return self.model_path.read_bytes()

    def samples(self) -> Samples:
        """The held samples. Raises ModelError where the file is missing or malformed."""
        path = self.path / SAMPLES_FILE
        try:
            with np.load(path, allow_pickle=False) as arrays:
                named = {key: arrays[key] for key in arrays.files}
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: cannot read the held samples: {error}", "convert again") from error
        return Samples(
            inputs=[named[f"input_{i}"] for i in range(len(self.manifest.inputs))],
            expected=[named[f"expected_{i}"] for i in range(len(self.manifest.outputs))],
            labels=named.get("label"),
        )


def load(path: Path) -> Bundle:
    """Opens a bundle directory. Raises FileSystemError or ModelError."""
    manifest_path = path / MANIFEST_FILE
    try:
        raw = manifest_path.read_bytes()
    except OSError as error:
        raise FileSystemError(
            f"{path} is not a bundle: {error.strerror}: {manifest_path}", "run `tinyserve convert` first"
        ) from error
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError as error:
        raise ModelError(f"{manifest_path}: {error}", "convert again with this version") from error
    return Bundle(path, manifest)
