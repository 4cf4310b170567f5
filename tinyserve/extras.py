# SPDX-License-Identifier: Apache-2.0
"""The packages that a plain `pip install tinyserve` leaves out, and the extra that brings each."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Any

from tinyserve import platforms
from tinyserve.errors import ToolError


@dataclass(frozen=True)
class Package:
    """An optional package: its name on PyPI, the module that it is imported as, and what it is for."""

    name: str
    module: str
    extra: str
    purpose: str
    newest: tuple[int, int] | None = None
    """The last Python that it has wheels for; None: it has them for all."""
    instead: str = ""
    """What to do with a later Python, or on another system."""
    only: str = ""
    """The one system that it has wheels for, as ``Platform.kind`` calls it; empty: it has them for all."""

    @property
    def install(self) -> str:
        """The command that installs it, or what to do where this Python is too new for it, or the system
        another."""
        too_new = self.newest is not None and sys.version_info[:2] > self.newest
        if too_new or self.only not in ("", platforms.here().kind()):
            return self.instead
        return f"pip install 'tinyserve[{self.extra}]'"


PACKAGES = (
    Package("ziglang", "ziglang", "embedded", "compiles firmware"),
    Package("unicorn", "unicorn", "embedded", "emulates Cortex-M and RV32 boards"),
    Package("pyelftools", "elftools", "embedded", "reads sizes and symbols of firmware"),
    Package("capstone", "capstone", "embedded", "prices instructions for estimates"),
    Package("pyserial", "serial", "embedded", "talks to real boards and meters"),
    Package("platformio", "platformio", "embedded", "builds and uploads for real boards"),
    Package("scons", "SCons", "embedded", "PlatformIO builds with it"),
    Package(
        "tensorflow-cpu",
        "tensorflow",
        "convert",
        "converts Keras and SavedModel",
        (3, 13),
        "tinyserve setup --frontend tensorflow",
    ),
    Package("ai-edge-litert", "ai_edge_litert", "convert", "runs float models for the accuracy check"),
    Package(
        "tflite-micro",
        "tflite_micro",
        "convert",
        "the reference for expected outputs",
        instead="no wheels for this system: expected outputs are the compiled model's",
        only="linux x86_64",
    ),
    Package("onnx", "onnx", "onnx", "reads ONNX and PyTorch models"),
    Package("onnxruntime", "onnxruntime", "onnx", "runs ONNX models for the accuracy check"),
    Package("scikit-learn", "sklearn", "sklearn", "reads scikit-learn models"),
    Package("emlearn", "emlearn", "sklearn", "flattens decision trees"),
    Package("ai-edge-quantizer", "ai_edge_quantizer", "quantizer", "int16x8 with layers left in float"),
    Package("matplotlib", "matplotlib", "report", "draws the arena"),
    Package(
        "mlcommons-loadgen",
        "mlperf_loadgen",
        "bench",
        "scenarios on this computer",
        (3, 13),
        "no wheels for this Python: python3.13 -m venv .venv, and install tinyserve there",
    ),
    Package("ppk2-api", "ppk2_api", "energy", "the PPK2 current meter"),
    Package("distributed", "distributed", "cluster", "runs a matrix on a Dask cluster"),
    Package("pillow", "PIL", "data", "reads data sets of images"),
    Package("pyarrow", "pyarrow", "data", "reads and writes Parquet"),
    Package("starlette", "starlette", "serve", "serves a fleet over HTTP"),
    Package("uvicorn", "uvicorn", "serve", "serves a fleet over HTTP"),
    Package("httptools", "httptools", "serve", "reads HTTP faster"),
    Package("uvloop", "uvloop", "serve", "a faster event loop"),
    Package("prometheus-client", "prometheus_client", "serve", "counts what a fleet does"),
    Package("grpcio", "grpc", "serve", "serves a fleet over gRPC"),
    Package("grpcio-health-checking", "grpc_health", "serve", "gRPC's health service"),
    Package("grpcio-reflection", "grpc_reflection", "serve", "gRPC's reflection service"),
    Package("psycopg", "psycopg", "postgres", "keeps jobs and predictions in PostgreSQL"),
    Package("paho-mqtt", "paho", "mqtt", "samples, results and events over MQTT"),
    Package("opentelemetry-sdk", "opentelemetry", "telemetry", "traces requests to a fleet"),
    Package(
        "opentelemetry-exporter-otlp-proto-http", "opentelemetry", "telemetry", "sends traces to a collector"
    ),
    Package("cryptography", "cryptography", "updates", "signs model images"),
    Package("cbor2", "cbor2", "updates", "talks to devices that take model images"),
)


def parquet_writer(what: str = "Parquet", otherwise: str = "") -> tuple[Any, Any]:
    """``pyarrow`` and ``pyarrow.parquet``. Raises ToolError without them: ``what`` is to be written, and
    ``otherwise`` can be done instead."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        install = "pip install 'tinyserve[data]'"
        hint = f"{install}, or {otherwise}" if otherwise else install
        raise ToolError(f"pyarrow is needed to write {what}", hint) from error


def missing_package(error: ModuleNotFoundError) -> ToolError | None:
    """What to install where an import failed for want of an extra; None for any other module."""
    module = (error.name or "").partition(".")[0]
    for package in PACKAGES:
        if package.module == module:
            return ToolError(f"{package.name} is needed for this, and is not installed", package.install)
    return None
