# SPDX-License-Identifier: Apache-2.0
"""The model in the browser: the host model's bytes in wasmtime, Node.js and Chromium; a board beside it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compiler.emit.test_interface import chain_model, counting_model
from tests.compiler.host.test_model import add_model
from tests.firmware.export.test_libraries import network
from tests.support.models import INT8_CRC, model_bytes, pattern
from tinyserve import boards
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.firmware.build import build
from tinyserve.firmware.export import Library, export_library
from tinyserve.firmware.render import render

wasmtime = pytest.importorskip("wasmtime")
pytest.importorskip("ziglang")

MODELS = {
    "chain": chain_model(),
    "two inputs": add_model(),
    "state": counting_model(),
    "network": network(1),
    "float": network(1, "float32"),
}
LABELS = ("one", "two", "three </script><script>alert(1)</script>")


@cache
def package(data: bytes, directory: Path) -> Path:
    export_library("wasm", Library("kws", data, "Key <words>", labels=LABELS), directory)
    return directory


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(network(1), tmp_path_factory.mktemp("wasm"))


class Instance:
    """A module in wasmtime."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.program = compile_model(data).program
        self.store = wasmtime.Store()
        module = wasmtime.Module.from_file(self.store.engine, str(path))
        assert not module.imports
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.call("init")

    def call(self, what: str, *arguments: int) -> int:
        return int(self.exports[f"ts_kws_{what}"](self.store, *arguments) or 0)

    def run(self, inputs: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        memory = self.exports["memory"]
        for index, value in enumerate(inputs):
            memory.write(self.store, value.tobytes(), self.call("input", index))
        assert self.call("invoke") == 0
        outputs = []
        for index, tensor in enumerate(self.program.output_tensors):
            start = self.call("output", index)
            raw = bytes(memory.read(self.store, start, start + tensor.nbytes))
            outputs.append(np.frombuffer(raw, tensor.dtype.numpy).reshape(tensor.shape))
        return outputs


@pytest.mark.parametrize("simd", [False, True], ids=["plain", "simd"])
@pytest.mark.parametrize("name", MODELS)
def test_a_module_gives_the_bytes_of_the_host_model(
    name: str, simd: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = MODELS[name]
    directory = tmp_path_factory.getbasetemp() / f"wasm-{name}".replace(" ", "-")
    instance = Instance(package(data, directory) / f"kws{'.simd' if simd else ''}.wasm", data)
    host = HostModel(compile_model(data))
    rng = np.random.default_rng(3)
    for _ in range(4):
        inputs = [
            rng.integers(-128, 128, tensor.shape).astype(tensor.dtype.numpy)
            for tensor in instance.program.input_tensors
        ]
        for mine, theirs in zip(instance.run(inputs), host.run(inputs), strict=True):
            if name == "float":  # sums in another order
                np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-3)
            else:
                np.testing.assert_array_equal(mine, theirs)


@pytest.mark.models
@pytest.mark.parametrize("name", INT8_CRC)
def test_mlperf_s_models_give_tflm_s_bytes(name: str, tmp_path: Path) -> None:
    data = model_bytes(name)
    for file in ("kws.wasm", "kws.simd.wasm"):
        instance = Instance(package(data, tmp_path) / file, data)
        x = pattern(instance.program.input_tensors[0].shape)
        assert zlib.crc32(instance.run([x])[0].tobytes()) == INT8_CRC[name]


# --- the ES module


def node(script: str, cwd: Path) -> str:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    (cwd / "test.mjs").write_text(script)
    done = subprocess.run(
        ["node", "test.mjs"], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    (cwd / "test.mjs").unlink()
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected(value: int) -> list[int]:
    x = np.full((1, 6, 6, 4), value, np.int8)
    return HostModel(compile_model(network(1))).run([x])[0].reshape(-1).tolist()


def test_the_module_runs_arrays_as_they_are_and_reals_quantized(place: Path) -> None:
    said = node(
        """
        import { classes, inputs, load, name, outputs } from "./kws.mjs";
        const answers = [];
        for (const simd of [false, true]) {
          const model = await load({ simd });
          const raw = model.run(new Int8Array(144).fill(7));
          const real = model.run(new Float32Array(144).fill(0.35));
          model.write(new Int8Array(144).fill(3));
          let steps = 1;
          while (!model.step(1)) { steps++; }
          const lists = [raw, real, model.read()].map((values) => Array.from(values));
          answers.push([...lists, steps, model.simd, model.bytes > 1000]);
        }
        console.log(JSON.stringify({ answers, name, classes, inputs, outputs }));
        """,
        place,
    )
    facts = json.loads(said)
    assert (facts["name"], facts["classes"]) == ("kws", list(LABELS))
    assert facts["inputs"][0]["shape"] == [1, 6, 6, 4]
    for simd, (raw, real, stepped, steps, has_simd, sized) in enumerate(facts["answers"]):
        assert raw == expected(7)
        np.testing.assert_allclose(real, [(value - 3) * 0.1 for value in expected(7)], rtol=1e-5)
        assert stepped == expected(3)
        assert steps >= 2
        assert (has_simd, sized) == (bool(simd), True)


def test_the_readme_s_program_runs_as_it_stands(place: Path) -> None:
    text = (place / "README.md").read_text(encoding="utf-8")
    program = re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0]
    printed = node(program + "console.log(scores.length, scores.constructor.name)", place).split()
    assert printed == [str(len(expected(0))), "Float32Array"]


def test_reals_are_quantized_as_the_generated_header_does(place: Path) -> None:
    values = [0.025, 0.075, -0.025, -0.125, 6.4, -9.0, 0.05, 1e30, float(np.float32(0.17499999))]
    said = node(
        f"""
        import {{ inputs, quantize }} from "./kws.mjs";
        console.log(JSON.stringify(Array.from(quantize(Float32Array.from({values}), inputs[0]))));
        """,
        place,
    )
    scaled = np.array(values, np.float32) / np.float32(0.05)
    away_from_zero = np.trunc(scaled + np.where(scaled < 0, np.float32(-0.5), np.float32(0.5)))
    assert json.loads(said) == np.clip(away_from_zero, -128, 127).astype(int).tolist()


def test_what_is_no_input_is_refused(place: Path) -> None:
    said = node(
        """
        import { load } from "./kws.mjs";
        const model = await load();
        for (const values of [[], [new Int8Array(3)], [new Uint8Array(144)], [[1, 2]], [undefined]]) {
          try { model.run(...values); console.log("ran"); } catch (error) { console.log(error.name); }
        }
        """,
        place,
    )
    assert said.split() == ["TypeError"] * 5


def test_npm_packs_what_a_page_needs(place: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    done = subprocess.run(
        ["npm", "pack", "--dry-run", "--json", "--offline"], cwd=place, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (packed,) = json.loads(done.stdout)
    files = {one["path"] for one in packed["files"]}
    assert {
        "kws.mjs",
        "kws.d.mts",
        "kws.wasm",
        "kws.simd.wasm",
        "board.mjs",
        "package.json",
        "LICENSE",
    } <= files
    exports = json.loads((place / "package.json").read_text())["exports"]
    assert all((place / one["default"]).is_file() and (place / one["types"]).is_file()
               for key, one in exports.items() if "*" not in key)  # fmt: skip


def test_a_board_s_bytes_come_over_its_serial_line(place: Path, tmp_path: Path) -> None:
    """The firmware itself, built for this computer, behind the client that the page uses."""
    firmware = build(render(compile_model(network(1)), boards.load("host"), tmp_path / "firmware"))
    said = node(
        f"""
        import {{ spawn }} from "node:child_process";
        import {{ Readable, Writable }} from "node:stream";
        import {{ Board }} from "./board.mjs";
        import {{ sha256 }} from "./kws.mjs";
        const child = spawn({json.dumps(str(firmware.elf))}, {{ stdio: ["pipe", "pipe", "inherit"] }});
        const port = {{ readable: Readable.toWeb(child.stdout), writable: Writable.toWeb(child.stdin) }};
        const board = new Board(port);
        const facts = await board.connect();
        const answers = [];
        for (const value of [7, 3]) {{
          const {{ outputs, ticks }} = await board.infer([new Uint8Array(144).fill(value)]);
          answers.push([Array.from(new Int8Array(outputs[0].buffer)), ticks > 0]);
        }}
        let refused = "";
        try {{ await board.ask("nonsense"); }} catch (error) {{ refused = error.message; }}
        console.log(JSON.stringify([answers, facts.model_sha256 === sha256, refused]));
        child.kill();
        process.exit(0);
        """,
        place,
    )
    answers, same_model, refused = json.loads(said)
    assert answers == [[expected(7), True], [expected(3), True]]
    assert same_model
    assert "e-[" in refused


# --- the page


def chromium(page: Path, *more: str) -> str:
    """The page as it is once its scripts have run, without what it carries."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000",
         f"--user-data-dir={page.parent / 'profile'}", *more, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return re.sub(r"<script.*?</script>", "", done.stdout, flags=re.DOTALL)


def page_with(place: Path, tmp_path: Path, before: str = "", after: str = "", **replaced: str) -> Path:
    """A copy of the page with scripts around its own."""
    text = (place / "index.html").read_text()
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    text = text.replace('<script type="module">', f'<script>{before}</script>\n<script type="module">', 1)
    text = text.replace("</body>", f'<script type="module">{after}</script>\n</body>', 1)
    copy = tmp_path / "page.html"
    copy.write_text(text)
    return copy


def shown_bytes(dom: str) -> list[int]:
    found = re.search(r'<pre id="bytes">([0-9a-f]*)</pre>', dom)
    assert found is not None, dom[:3000]
    return np.frombuffer(bytes.fromhex(found[1]), np.int8).tolist()


def test_the_page_runs_from_the_disk_and_shows_the_classes(place: Path, tmp_path: Path) -> None:
    dom = chromium(page_with(place, tmp_path))
    x = pattern((1, 6, 6, 4))
    assert shown_bytes(dom) == HostModel(compile_model(network(1))).run([x])[0].reshape(-1).tolist()
    assert 'data-ready="true"' in dom
    assert "<h1>Key &lt;words&gt;</h1>" in dom
    assert "three &lt;/script&gt;" in dom
    assert re.search(r'id="time">[\d.]+ [mµ]s<', dom)
    assert f"{(place / 'kws.simd.wasm').stat().st_size:,} bytes" in dom


def test_without_vectors_the_page_takes_the_plain_build(place: Path, tmp_path: Path) -> None:
    dom = chromium(page_with(place, tmp_path, **{"return WebAssembly.validate(VECTORS)": "return false"}))
    assert f"{(place / 'kws.wasm').stat().st_size:,} bytes" in dom
    assert 'id="build">plain<' in dom


DROP = """
const file = new File([%s], "%s", { type: "%s" });
const data = new DataTransfer();
data.items.add(file);
const until = async (test) => { while (!test()) { await new Promise((go) => setTimeout(go, 20)); } };
await until(() => document.body.dataset.ready);
document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
await until(() => document.getElementById("status").textContent.startsWith("%s"));
"""


@pytest.mark.parametrize(
    ("content", "name", "value"),
    [
        ("new Uint8Array(144).fill(9)", "input.bin", 9),
        ("Array(144).fill(0.45).join(',')", "input.csv", 9),
        ("JSON.stringify(Array(144).fill(0.45))", "input.json", 9),
    ],
)
def test_files_are_dropped(content: str, name: str, value: int, place: Path, tmp_path: Path) -> None:
    dom = chromium(page_with(place, tmp_path, after=DROP % (content, name, "", name)))
    assert shown_bytes(dom) == expected(value)


def test_a_file_of_another_size_is_refused_in_words(place: Path, tmp_path: Path) -> None:
    drop = DROP % ("new Uint8Array(5)", "short.bin", "", "This input can")
    dom = chromium(page_with(place, tmp_path, after=drop))
    assert "144 elements" in dom


SERIAL = """
class Fake {
  constructor() {
    const text = (lines) => [...lines, "m-ready", ""].join("\\r\\n");
    const reply = (lines) => this.out.enqueue(new TextEncoder().encode(text(lines)));
    this.readable = new ReadableStream({ start: (out) => { this.out = out; } });
    this.writable = new WritableStream({ write: (bytes) => {
      const command = new TextDecoder().decode(bytes);
      if (command.startsWith("ts-info")) {
        const facts = ["model_sha256=%s", "board=nano33", "outputs=1", "line_bytes=64", "tick_unit=us",
                       "tick_hz=1000000"];
        reply(facts.map((fact) => `ts-info-[${fact}]`));
      } else if (command.startsWith("ts-infer")) { reply(["ts-started", "ts-ticks-[1500]"]); }
      else if (command.startsWith("ts-output")) { reply(["ts-output-[%s]", "ts-output-done"]); }
      else { reply([]); }
    } });
  }
  async open() {}
  async close() {}
}
Object.defineProperty(navigator, "serial", { value: { requestPort: async () => new Fake() } });
"""
COMPARE = """
const until = async (test) => { while (!test()) { await new Promise((go) => setTimeout(go, 20)); } };
await until(() => document.body.dataset.ready);
document.getElementById("compare").click();
await until(() => document.getElementById("verdict").textContent);
"""


@pytest.mark.parametrize(
    ("change", "model", "words"),
    [
        (0, "", "byte-identical, all 3 bytes. It took 1.50 ms"),
        (1, "", "1 of 3 bytes differ"),
        (0, "0" * 64, "another model"),
    ],
)
def test_the_page_compares_a_board_byte_for_byte(
    change: int, model: str, words: str, place: Path, tmp_path: Path
) -> None:
    compiled = compile_model(network(1))
    raw = bytearray(HostModel(compiled).run([pattern((1, 6, 6, 4))])[0].tobytes())
    raw[0] ^= change
    serial = SERIAL % (model or compiled.program.model_sha256, raw.hex())
    dom = chromium(page_with(place, tmp_path, before=serial, after=COMPARE))
    verdict = re.search(r'<p id="verdict"[^>]*>([^<]*)</p>', dom)
    assert verdict is not None
    assert words in verdict[1]


def image_model() -> bytes:
    from tests.support.flatbuffer_builder import ModelBuilder

    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 28, 28, 1), "int8", 1 / 255, -128)
    weights = graph.constant(np.ones((10, 784), np.int8), 0.01)
    y = graph.tensor((1, 10), "int8", 0.5)
    graph.op("FULLY_CONNECTED", [x, weights, None], [y], keep_num_dims=False)
    graph.output(y)
    return model.build()


DRAW = """
const until = async (test) => { while (!test()) { await new Promise((go) => setTimeout(go, 20)); } };
await until(() => document.body.dataset.ready);
const pad = document.getElementById("pad");
const place = pad.getBoundingClientRect();
pad.setPointerCapture = () => {};
pad.hasPointerCapture = () => true;
const at = (kind, x, y) => pad.dispatchEvent(new PointerEvent(kind, {
  pointerId: 1, clientX: place.left + x * place.width, clientY: place.top + y * place.height,
  bubbles: true }));
at("pointerdown", 0.2, 0.2);
at("pointermove", 0.8, 0.8);
at("pointerup", 0.8, 0.8);
"""


def test_a_digit_is_drawn_where_the_model_takes_pictures(tmp_path: Path) -> None:
    place = package(image_model(), tmp_path / "wasm")
    dom = chromium(page_with(place, tmp_path, after=DRAW))
    assert 'data-kind="image"' in dom
    assert "What was drawn." in dom
    host = HostModel(compile_model(image_model()))
    dark = int(host.run([np.full((1, 28, 28, 1), -128, np.int8)])[0][0, 0])
    assert shown_bytes(dom)[0] > dark  # the line is light on dark


def test_the_page_asks_the_network_for_nothing(place: Path) -> None:
    text = (place / "index.html").read_text()
    outside = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//[^"'\s]+""", text)
    assert not outside
    assert "default-src 'none'" in text
    assert "connect-src" not in text
