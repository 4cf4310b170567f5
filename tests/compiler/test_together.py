# SPDX-License-Identifier: Apache-2.0
"""Models in one arena: the memory of the largest, and in whatever order they run the bytes of each alone."""

from __future__ import annotations

import ctypes
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.bench.models import write_classifier
from tests.compiler.emit.test_emit import STRICT, compiles
from tests.compiler.emit.test_interface import chain_model, counting_model
from tests.support.graphs.random_graph import random_graph
from tests.support.models import INT8_CRC, model_bytes, pattern
from tinyserve.cli.main import main
from tinyserve.compiler.compile import compile_model, write_files
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.plan.planner import check
from tinyserve.compiler.program import Buffer
from tinyserve.compiler.together import Member, Together, compile_together
from tinyserve.errors import UsageError


class Product:
    """Models of one arena in one library."""

    def __init__(self, together: Together, directory: Path) -> None:
        write_files(together.files, directory)
        compiles("gcc", [*STRICT, "-shared", "-fPIC", *together.compile, "-o", "p.so"], directory)
        self.together = together
        self.library = ctypes.CDLL(str(directory / "p.so"))
        for one in together.compiled:
            for function in ("input", "output"):
                getattr(self.library, f"ts_{one.name}_{function}").restype = ctypes.c_void_p
            getattr(self.library, f"ts_{one.name}_init")()

    def run(self, name: str, data: bytes) -> bytes:
        ctypes.memmove(getattr(self.library, f"ts_{name}_input")(0), data, len(data))
        assert getattr(self.library, f"ts_{name}_invoke")() == 0
        return self.output(name)

    def output(self, name: str) -> bytes:
        one = next(one for one in self.together.compiled if one.name == name)
        size = one.program.output_tensors[0].nbytes
        return ctypes.string_at(getattr(self.library, f"ts_{name}_output")(0), size)


def alone(data: bytes, raw: bytes) -> bytes:
    compiled = compile_model(data)
    tensor = compiled.program.input_tensors[0]
    value = np.frombuffer(raw, tensor.dtype.numpy).reshape(tensor.shape)
    return HostModel(compiled).run([value])[0].tobytes()


def test_the_arena_is_the_largest_and_state_and_kept_outputs_lie_apart(tmp_path: Path) -> None:
    chain, counter = chain_model(), counting_model()
    members = [Member("first", chain, kept=True), Member("counter", counter), Member("last", chain_model(3))]
    together = compile_together(members)
    scratch = max(compile_model(data).plan.arena_bytes for data in (chain, counter, chain_model(3)))
    assert together.arena.nbytes <= scratch + 4 + 8
    product = Product(together, tmp_path)
    first = product.run("first", bytes(range(8)))
    assert first == alone(chain, bytes(range(8)))
    totals = []
    for _ in range(3):
        totals.append(product.run("counter", bytes([1, 2, 3, 4]))[0])
        product.run("last", bytes([0x55] * 8))  # writes all over the scratch
    assert totals == [1, 2, 3]
    assert product.output("first") == first
    product.library.ts_counter_reset()
    assert product.run("counter", bytes(4)) == bytes(4)


def test_every_plan_is_valid_and_nothing_apart_is_anyone_else_s() -> None:
    for seed in range(4):
        data = [random_graph(10 * seed + index).case.model for index in range(3)]
        together = compile_together([Member(f"m{i}", one, kept=i == 0) for i, one in enumerate(data)])
        taken: list[tuple[int, int]] = []
        for index, one in enumerate(together.compiled):
            assert not check(one.program, one.plan)
            apart = [b for b in one.program.buffers if b.kind == "state"]
            apart += [b for b in one.program.outputs if isinstance(b, Buffer)] if index == 0 else []
            taken += [(one.plan.offsets[b], one.plan.offsets[b] + b.nbytes) for b in dict.fromkeys(apart)]
        for number, one in enumerate(together.compiled):
            for buffer, offset in one.plan.offsets.items():
                inside = [(a, b) for a, b in taken if offset < b and a < offset + buffer.nbytes]
                assert all((offset, offset + buffer.nbytes) == pair for pair in inside), (number, buffer.name)


@pytest.mark.models
def test_three_of_mlperf_s_models_share_an_arena(tmp_path: Path) -> None:
    names = {"kws": "kws_ref_model", "vww": "vww_96_int8", "ad": "ad01_int8"}
    data = {name: model_bytes(file) for name, file in names.items()}
    together = compile_together([Member(name, one) for name, one in data.items()])
    assert together.arena.nbytes == max(together.alone_bytes)
    product = Product(together, tmp_path)
    for name in ("kws", "vww", "ad", "kws", "ad", "vww"):
        shape = next(one for one in together.compiled if one.name == name).program.input_tensors[0].shape
        assert zlib.crc32(product.run(name, pattern(shape).tobytes())) == INT8_CRC[names[name]]


def test_contexts_of_the_caller_s_share_an_arena_of_the_caller_s(tmp_path: Path) -> None:
    together = compile_together(
        [Member("one", counting_model()), Member("two", counting_model())], instance="caller"
    )
    write_files(together.files, tmp_path)
    assert not [path for path in together.files if path.endswith("_arena.c")]
    (tmp_path / "main.c").write_text(
        '#include "one.h"\n#include "shared_arena.h"\n#include "two.h"\n'
        "static _Alignas(TS_SHARED_ARENA_ALIGNMENT) uint8_t arena[TS_SHARED_ARENA_BYTES];\n"
        "int main(void) {\n  static ts_one a;\n  static ts_two b;\n"
        "  if (ts_one_init(&a, arena) || ts_two_init(&b, arena)) { return 1; }\n"
        "  for (int i = 0; i < 3; i++) {\n"
        "    for (int j = 0; j < 4; j++) { ((int8_t *)ts_one_input(&a, 0))[j] = 1; }\n"
        "    ts_one_invoke(&a);\n"
        "    for (int j = 0; j < 4; j++) { ((int8_t *)ts_two_input(&b, 0))[j] = 2; }\n"
        "    ts_two_invoke(&b);\n"
        "  }\n  const int two = ((const int8_t *)ts_two_output(&b, 0))[3];\n"
        "  for (int j = 0; j < 4; j++) { ((int8_t *)ts_one_input(&a, 0))[j] = 0; }\n  ts_one_invoke(&a);\n"
        "  return ((const int8_t *)ts_one_output(&a, 0))[3] == 3 && two == 6 ? 0 : 2;\n}\n"
    )
    compiles("gcc", [*STRICT, "main.c", *together.compile, "-o", "program"], tmp_path)
    compiles(str(tmp_path / "program"), [], tmp_path)


def test_the_command_compiles_several_models_with_an_arena_or_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("A.tflite").write_bytes(chain_model())
    Path("b-2.tflite").write_bytes(counting_model())
    assert main(["compile", "A.tflite", "b-2.tflite", "-o", "apart"]) == 0
    assert {"a.c", "b_2.c"} <= {path.name for path in Path("apart").iterdir()}
    named = ["--name", "x", "--name", "y", "--share-arena", "--keep", "x"]
    assert main(["compile", "A.tflite", "b-2.tflite", *named, "-o", "one"]) == 0
    assert {"x.c", "y.c", "shared_arena.c", "shared_arena.h"} <= {path.name for path in Path("one").iterdir()}
    assert "shared arena" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--name", "x"],
        ["--name", "x", "--name", "X"],
        ["--name", "shared", "--name", "x", "--share-arena"],
        ["--keep", "m"],
        ["--share-arena", "--keep", "nobody"],
        ["--variant", "add=portable"],
    ],
)
def test_what_does_not_go_together_is_refused(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("m", "n"):
        Path(f"{name}.tflite").write_bytes(chain_model())
    assert main(["compile", "m.tflite", "n.tflite", *options, "-o", "out"]) == 2
    assert not Path("out").exists()


def test_names_are_each_model_s_alone() -> None:
    with pytest.raises(UsageError, match="two models"):
        compile_together([Member("a", chain_model()), Member("A", chain_model())])


@pytest.mark.parametrize(
    "names", [("kws", "kws_weights"), ("model", "weights"), ("shared_arena", "ad"), ("a", "a_values")]
)
def test_two_models_that_would_write_one_file_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="two models would write"):
        compile_together([Member(name, chain_model()) for name in names])


def test_the_names_of_classes_are_each_model_s_own(tmp_path: Path) -> None:
    data = write_classifier(tmp_path / "m.tflite").read_bytes()
    count = compile_model(data).program.output_tensors[0].elements
    known = tuple(f"class {index} of a" for index in range(count))
    together = compile_together([Member("a", data, labels=known), Member("b", data)])
    assert all(f'"{name}"' in str(together.files["a_values.h"]) for name in known)
    assert "of a" not in str(together.files["b_values.h"])
