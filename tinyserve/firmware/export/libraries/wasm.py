# SPDX-License-Identifier: Apache-2.0
"""For the browser: WebAssembly behind an ES module that npm can publish, and a demo page of one file."""

from __future__ import annotations

import base64
import json
import re

from tinyserve.compiler.compile import Compiled
from tinyserve.compiler.graph.types import Quantization, Tensor
from tinyserve.compiler.program import Target
from tinyserve.errors import UsageError
from tinyserve.escapes import html
from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import DOCUMENTATION, Library, sentence
from tinyserve.firmware.wasm import PLAIN, SIMD, build_wasm
from tinyserve.resources import data_directory, licence
from tinyserve.templates import render_template

_TEMPLATES = "library/wasm"
_EXPORTED = re.compile(r"^export ", re.MULTILINE)


def files(library: Library) -> dict[str, bytes]:
    """The package's files. Raises ToolError where zig is not installed."""
    name = library.name
    if library.instance == "caller":
        raise UsageError(
            "--instance caller: not with --kind wasm", "each load() is an instance of its own anyway"
        )
    if library.feed != "whole":
        raise UsageError("--feed rows: not with --kind wasm", "a page has memory for whole inputs")
    plain = library.compile(library.target_with(PLAIN.features))
    fast = library.compile(Target(SIMD.features, "speed", operators=library.operators))
    modules = {False: build_wasm(plain, PLAIN), True: build_wasm(fast, SIMD)}
    script = _text("model.mjs").replace("/*MODEL*/ null", _json(_facts(library, plain)))
    context = {
        "name": name, "title": library.title, "plain": len(modules[False]), "simd": len(modules[True]),
        "classes": library.labels, "events": plain.program.events.sources,
        "inputs": [tensor.nbytes // tensor.dtype.itemsize for tensor in plain.program.input_tensors],
    }  # fmt: skip
    return {
        f"{name}.wasm": modules[False],
        f"{name}.simd.wasm": modules[True],
        f"{name}.mjs": script.encode(),
        f"{name}.d.mts": _text("model.d.mts").encode(),
        "board.mjs": _text("board.mjs").encode(),
        "board.d.mts": _text("board.d.mts").encode(),
        "index.html": _page(library, plain, script, modules).encode(),
        "package.json": _package(library).encode(),
        "README.md": render_template(f"{_TEMPLATES}/README.md", context).encode(),
        "LICENSE": licence().encode(),
    }


def _facts(library: Library, compiled: Compiled) -> dict[str, object]:
    program = compiled.program
    return {
        "name": library.name,
        "version": library.version,
        "title": library.title,
        "sha256": program.model_sha256,
        "inputs": [_tensor(tensor) for tensor in program.input_tensors],
        "outputs": [_tensor(tensor) for tensor in program.output_tensors],
        "classes": list(library.labels),
        "eventNames": [source.name for source in program.events.sources],
        "layers": len(program.calls),
    }


def _tensor(tensor: Tensor) -> dict[str, object]:
    quantization = tensor.quantization if tensor.dtype.value != "float32" else None
    return {
        "name": tensor.name,
        "type": tensor.dtype.value,
        "shape": list(tensor.shape),
        "count": tensor.nbytes // tensor.dtype.itemsize,
        "scale": quantization.scale if quantization else 0,
        "zeroPoint": tensor.zero_point if quantization else 0,
    } | _by_feature(quantization)


def _by_feature(quantization: Quantization | None) -> dict[str, object]:
    """Scales and zero points where each place on the last axis has its own."""
    if quantization is None or not quantization.per_channel:
        return {}
    return {
        "scales": list(map(float, quantization.scales)),
        "zeroPoints": list(map(int, quantization.zero_points)),
    }


def _page(library: Library, compiled: Compiled, model: str, modules: dict[bool, bytes]) -> str:
    """One file that needs no server: the modules' text and the builds lie in it."""
    script = "\n".join(_EXPORTED.sub("", text) for text in (model, _text("board.mjs"), _text("demo.mjs")))
    program = compiled.program
    values = {
        "TITLE": html(library.title),
        "STYLE": _text("page.css"),
        "INPUT": html(", ".join(map(_shape, program.input_tensors))),
        "OUTPUT": html(", ".join(map(_shape, program.output_tensors))),
        "PLAIN": base64.b64encode(modules[False]).decode(),
        "SIMD": base64.b64encode(modules[True]).decode(),
        "SCRIPT": script,
    }
    return re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], _text("page.html"))


def _shape(tensor: Tensor) -> str:
    return f"{' × '.join(map(str, tensor.shape)) or '1'} {tensor.dtype.value}"


def _package(library: Library) -> str:
    name = library.name
    package = {
        "name": name.replace("_", "-"),
        "version": library.version,
        "description": sentence(library),
        "type": "module",
        "exports": {
            ".": {"types": f"./{name}.d.mts", "default": f"./{name}.mjs"},
            "./board": {"types": "./board.d.mts", "default": "./board.mjs"},
            "./*.wasm": "./*.wasm",
        },
        "types": f"./{name}.d.mts",
        "files": ["*.mjs", "*.d.mts", "*.wasm", "index.html"],
        "sideEffects": False,
        "keywords": ["machine-learning", "tinyml", "webassembly"],
        "homepage": DOCUMENTATION,
        "license": "Apache-2.0",
    }
    return json.dumps(package, indent=2) + "\n"


def _json(value: object) -> str:
    """As JavaScript that can stand in an HTML page, too."""
    return json.dumps(value, indent=2).replace("<", "\\u003c")


def _text(name: str) -> str:
    return (data_directory("firmware_templates") / _TEMPLATES / name).read_text(encoding="utf-8")


KIND = Kind("wasm", "WebAssembly with an ES module and a demo page", files)
