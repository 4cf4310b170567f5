# SPDX-License-Identifier: Apache-2.0
"""Inference in a browser beside LiteRT.js and onnxruntime-web, on one thread, in one page and one run.

    python benchmarks/browser/run.py MODELS

MODELS is a directory with the MLPerf Tiny models. Fetches the npm packages; needs npm, node and Chromium.
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from as_onnx import as_onnx

from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.program import Target
from tinyserve.firmware.export import Library, export_library
from tinyserve.firmware.wasm import SIMD

PACKAGES = (
    "@litertjs/core@2.5.3",
    "@litertjs/wasm-utils@2.5.3",
    "onnxruntime-web@1.30.0",
    "playwright-core@1",
)
MODELS = {
    "vww": ("vww_96_int8", "vww_96_float"),
    "ic": ("pretrainedResnet_quant", "pretrainedResnet"),
    "ad": ("ad01_int8", "ad01_fp32"),
}
HERE = Path(__file__).parent


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

    def log_message(self, *_: Any) -> None: ...


def main() -> None:
    models = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="tinyserve-") as name:
        root = Path(name)
        constants = _prepare(root, models)
        answer = _driven(root)
    _report(answer | {"constants": constants})


def _prepare(root: Path, models: Path) -> dict[str, int]:
    """Writes what the page loads. The bytes of weights and tables in each module with vectors."""
    facts, constants = [], {}
    for name, (quantized, real) in MODELS.items():
        data = {
            "int8": (models / f"{quantized}.tflite").read_bytes(),
            "float32": (models / f"{real}.tflite").read_bytes(),
        }
        for scheme, one in data.items():
            library = Library("model", one, name)
            export_library("wasm", library, root / f"{name}_{scheme}")
            program = library.compile(Target(SIMD.features, "speed")).program
            constants[f"{name}_{scheme}"] = sum(one.nbytes for one in program.constants)
            (root / f"{name}_{scheme}.tflite").write_bytes(one)
        (root / f"{name}.onnx").write_bytes(as_onnx(data["float32"]))
        tensor = compile_model(data["float32"]).program.input_tensors[0]
        facts.append({"name": name, "shape": list(tensor.shape), "count": tensor.nbytes // 4})
    (root / "models.json").write_text(json.dumps(facts))
    for file in ("page.html", "drive.mjs"):
        shutil.copy(HERE / file, root)
    subprocess.run(
        ["npm", "install", "--silent", "--no-fund", "--no-audit", *PACKAGES],
        cwd=root,
        check=True,
        timeout=300,
    )
    return constants


def _driven(root: Path) -> dict[str, Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/page.html"
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
    done = subprocess.run(
        ["node", "drive.mjs", address, browser],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    server.shutdown()
    if done.returncode:
        sys.exit(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _report(answer: dict[str, Any]) -> None:
    print(f"Chromium {answer['browser']}, one thread; milliseconds per inference\n")
    columns = [key for key in answer["results"][0] if key != "name"]
    print(" | ".join(["model", *columns]))
    for row in answer["results"]:
        cells = [f"{row[key]['ms']:.3f}" if "ms" in row[key] else row[key]["failed"][:60] for key in columns]
        print(" | ".join([row["name"], *cells]))
    print("\nbytes loaded")
    groups = {"LiteRT.js": "@litertjs", "onnxruntime-web": "onnxruntime-web"}
    others = {
        label: sum(size for path, size in answer["bytes"].items() if part in path)
        for label, part in groups.items()
    }
    for label, total in others.items():
        print(f"{label}: {total:,} before a model")
    for row in answer["results"]:
        for scheme in ("int8", "float32"):
            place = f"/{row['name']}_{scheme}/"
            own = sum(size for path, size in answer["bytes"].items() if path.startswith(place))
            code = own - answer["constants"][f"{row['name']}_{scheme}"]
            print(
                f"ours, {row['name']} {scheme}: {own:,} with the model (1/{others['LiteRT.js'] / own:.0f} of "
                f"LiteRT.js), of which {code:,} are no constants (1/{others['LiteRT.js'] / code:.0f})"
            )
    for row in answer["results"]:
        print(row["name"], {key: [round(v, 3) for v in row[key].get("output", [])[:4]] for key in columns})


if __name__ == "__main__":
    main()
