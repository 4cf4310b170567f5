# SPDX-License-Identifier: Apache-2.0
"""The protocol under libFuzzer with ASan and UBSan: an answer to every command, a crash to none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.compiler.bands.test_feed import BY_ROWS, small
from tests.firmware.mlperf_models import FEATURES, autoencoder
from tests.firmware.tiny_model import tiny_model
from tests.support.fuzz_seed import VARIABLE
from tinyserve import boards
from tinyserve.compiler.compile import compile_model
from tinyserve.firmware.render import render

RUNS = int(os.environ.get("TINYSERVE_FUZZ_RUNS", "10000"))
SEED = int(os.environ.get(VARIABLE, "0")) + 7
WORDS = """
name% profile% timestamp% db db\\x20load\\x208% db\\x20load\\x204% db\\x20print% 0102030405060708% db\\x20%
infer infer\\x202\\x201% results% help% ts-info% ts-select ts-select\\x201% ts-infer\\x203\\x200% ts-output
ts-output\\x201% ts-memory% ts-profile% ts-reset% 99999999999 4294967295 % \\x00 \\xff
"""


@pytest.fixture(scope="module", params=["two inputs", "ad01", "fed"])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    clang = shutil.which("clang")
    if clang is None:
        pytest.skip("needs clang")
    directory = tmp_path_factory.mktemp("fuzz")
    made = {"two inputs": tiny_model, "ad01": autoencoder, "fed": lambda: compile_model(small(), BY_ROWS)}
    model = made[request.param]()
    project = render(model, boards.load("host"), directory, model_id=request.param)
    sources = [s.path for s in project.sources if s.path not in ("src/main.c", "src/port.c")]
    flags = [
        "-g",
        "-O1",
        "-fsanitize=fuzzer,address,undefined",
        "-fno-sanitize-recover=all",
        "-DMAX_RUNS=50u",
    ]
    flags += ["-Isrc", "-Isrc/model", *(f"-D{name}={value}" for name, value in project.defines.items())]
    program = directory / "fuzz"
    ours = str(Path(__file__).parent / "fuzz_protocol.c")
    built = subprocess.run(
        [clang, *flags, *sources, ours, "-o", str(program)],
        cwd=directory,
        check=False,
        capture_output=True,
        timeout=300,
        text=True,
    )
    if built.returncode != 0 and "libclang_rt" in built.stderr:
        pytest.skip("clang has no libFuzzer here")
    assert built.returncode == 0, built.stderr
    return program


def test_no_bytes_crash_the_protocol(target: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.dict"
    words.write_text("".join(f'"{word}"\n' for word in WORDS.split()))
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "talk").write_bytes(b"db load 8%db 0102030405060708%infer 2 1%results%ts-output 1%ts-profile%")
    floats = f"db load {4 * FEATURES}%db {'7fc00000' * FEATURES}%infer 2 1%results%"
    (corpus / "floats").write_bytes(floats.encode())
    command = [
        target,
        f"-dict={words}",
        f"-runs={RUNS}",
        "-max_len=2500",
        "-timeout=20",
        f"-seed={SEED}",
        str(corpus),
    ]
    finished = subprocess.run(
        command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=3600
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
