# SPDX-License-Identifier: Apache-2.0
"""What a product calls: contexts of the caller's, steps, places in memory, C++, plain compilers."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from tests.compiler.emit.test_emit import STRICT, compiles
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import Compiled, compile_model, write
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.program import Instance, Interface

CALLER = Interface("caller")
ARENA_ALIGNMENT = 16


def chain_model(layers: int = 5) -> bytes:
    """y = x + 1 + 2 + ... : a layer each."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 8), "int8", 0.5)
    for index in range(layers):
        y = graph.tensor((1, 8), "int8", 0.5, name=f"add_{index}")
        graph.op("ADD", [x, graph.constant(np.full((1, 8), index + 1, np.int8), 0.5)], [y])
        x = y
    graph.output(x)
    return model.build()


def counting_model() -> bytes:
    """A variable that adds up the inputs: state that lives across inferences."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 4), "int8", 1.0)
    handle = graph.tensor((1,), "resource")
    old = graph.tensor((1, 4), "int8", 1.0)
    new = graph.tensor((1, 4), "int8", 1.0, name="sum")
    graph.op("VAR_HANDLE", [], [handle], container="", shared_name="total")
    graph.op("READ_VARIABLE", [handle], [old])
    graph.op("ADD", [x, old], [new])
    graph.op("ASSIGN_VARIABLE", [handle, new], [])
    graph.output(new)
    return model.build()


class Context(ctypes.Structure):
    _fields_ = (("arena", ctypes.c_void_p), ("next", ctypes.c_uint32))


class Called:
    """A model with contexts of the caller's, as a shared library."""

    def __init__(self, compiled: Compiled, directory: Path) -> None:
        write(compiled, directory)
        compiles("gcc", [*STRICT, "-shared", "-fPIC", *compiled.sources.compile, "-o", "m.so"], directory)
        self.compiled = compiled
        self.library = ctypes.CDLL(str(directory / "m.so"))
        for name in ("input", "output"):
            getattr(self.library, f"ts_model_{name}").restype = ctypes.c_void_p

    def arena(self) -> ctypes.Array[ctypes.c_uint8]:
        return (ctypes.c_uint8 * (self.compiled.plan.arena_bytes + ARENA_ALIGNMENT)).from_buffer(
            bytearray(b"\xa5" * (self.compiled.plan.arena_bytes + ARENA_ALIGNMENT))
        )

    def context(self) -> tuple[Context, ctypes.Array[ctypes.c_uint8]]:
        context, arena = Context(), self.arena()
        start = -(-ctypes.addressof(arena) // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
        assert self.library.ts_model_init(ctypes.byref(context), ctypes.c_void_p(start)) == 0
        return context, arena

    def fill(self, context: Context, data: bytes) -> None:
        ctypes.memmove(self.library.ts_model_input(ctypes.byref(context), 0), data, len(data))

    def output(self, context: Context, nbytes: int) -> list[int]:
        raw = ctypes.string_at(self.library.ts_model_output(ctypes.byref(context), 0), nbytes)
        return np.frombuffer(raw, np.int8).tolist()


def test_contexts_of_the_caller_have_arenas_and_states_of_their_own(tmp_path: Path) -> None:
    model = Called(compile_model(counting_model(), interface=CALLER), tmp_path)
    (one, _first), (two, _second) = model.context(), model.context()
    seen = []
    for context in (one, two, one, one, two):
        model.fill(context, bytes([1, 2, 3, 4]))
        assert model.library.ts_model_invoke(ctypes.byref(context)) == 0
        seen.append(model.output(context, 4)[0])
    assert seen == [1, 1, 2, 3, 2]
    model.library.ts_model_reset(ctypes.byref(one))
    model.fill(one, bytes(4))
    model.library.ts_model_invoke(ctypes.byref(one))
    assert model.output(one, 4) == [0] * 4


def test_an_arena_that_is_none_or_not_aligned_is_refused(tmp_path: Path) -> None:
    model = Called(compile_model(chain_model(), interface=CALLER), tmp_path)
    context, arena = Context(), model.arena()
    odd = -(-ctypes.addressof(arena) // ARENA_ALIGNMENT) * ARENA_ALIGNMENT + 4
    assert model.library.ts_model_init(ctypes.byref(context), None) == 1
    assert model.library.ts_model_init(ctypes.byref(context), ctypes.c_void_p(odd)) == 1


@pytest.mark.parametrize("budget", [1, 2, 3, 5, 100])
def test_steps_of_any_budget_give_what_one_invoke_gives(budget: int, tmp_path: Path) -> None:
    compiled = compile_model(chain_model(), interface=CALLER)
    layers = len(compiled.program.calls)
    model = Called(compiled, tmp_path)
    (context, _arena) = model.context()
    by_steps = []
    for _ in range(2):  # the second inference starts at the first layer again
        model.fill(context, bytes(range(8)))
        assert model.library.ts_model_step(ctypes.byref(context), 0) == 0
        steps = 1
        while not model.library.ts_model_step(ctypes.byref(context), budget):
            steps += 1
        assert steps == -(-layers // budget)
        by_steps.append(model.output(context, 8))
    expected = HostModel(compile_model(chain_model())).run([np.arange(8, dtype=np.int8).reshape(1, 8)])
    assert by_steps == [expected[0].reshape(-1).tolist()] * 2


def test_invoke_and_reset_abandon_an_inference_in_steps(tmp_path: Path) -> None:
    model = Called(compile_model(chain_model(3), interface=CALLER), tmp_path)
    (context, _arena) = model.context()
    for abandon in (model.library.ts_model_invoke, model.library.ts_model_reset):
        model.library.ts_model_step(ctypes.byref(context), 2)
        abandon(ctypes.byref(context))
        assert [model.library.ts_model_step(ctypes.byref(context), 1) for _ in range(3)] == [0, 0, 1]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(
    "data", [chain_model(0), chain_model(), counting_model()], ids=["no layer", "chain", "state"]
)
def test_strict_compilers_have_nothing_to_say_about_contexts(
    compiler: str, data: bytes, tmp_path: Path
) -> None:
    compiled = compile_model(data, interface=CALLER)
    write(compiled, tmp_path)
    compiles(compiler, [*STRICT, "-DTS_MODEL_PROFILE", "-c", *compiled.sources.compile], tmp_path)


CPP = """
#include "model.hpp"
%s
int main() {
  %s
  auto x = model.input();
  static_assert(sizeof(x[0]) == 1, "int8");
  for (auto &value : x) { value = 3; }
  if (!model.invoke()) { return 1; }
  int sum = 0;
  for (const auto value : model.output()) { sum += value; }
  while (!model.step(1)) {}
  model.reset();
  %s
  return sum == 8 * (3 + 1 + 2 + 3 + 4 + 5) && x.size() == 8 && x.size_bytes() == 8 ? 0 : 1;
}
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("instance", ["static", "caller"])
def test_the_wrapper_serves_cpp_without_exceptions(compiler: str, instance: str, tmp_path: Path) -> None:
    if not (shutil.which(compiler) and shutil.which("gcc")):
        pytest.skip(f"{compiler} is not installed")
    compiled = compile_model(chain_model(), interface=Interface(instance))  # type: ignore[arg-type]
    write(compiled, tmp_path)
    places = {
        "static": ("", "tinyserve::model model;", ""),
        "caller": (
            "using tinyserve::model;\n"
            "alignas(model::arena_alignment()) static std::uint8_t arena[model::arena_bytes()];",
            "tinyserve::model model(arena);\n  if (!model.ready()) { return 1; }",
            "if (ts_model_output(model.context(), 0) != model.output().data()) { return 1; }",
        ),
    }
    (tmp_path / "main.cpp").write_text(CPP % places[instance])
    compiles("gcc", ["-std=c11", "-O1", "-c", *compiled.sources.compile], tmp_path)
    strict = ["-std=c++11", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    objects = [str(path) for path in tmp_path.glob("*.o")]
    compiles(compiler, [*strict, "-O1", "main.cpp", *objects, "-o", "program"], tmp_path)
    assert subprocess.run([tmp_path / "program"], timeout=20, check=False).returncode == 0


@pytest.mark.parametrize("instance", ["static", "caller"])
def test_a_product_without_steps_is_spared_their_state(instance: str, tmp_path: Path) -> None:
    compiled = compile_model(counting_model(), interface=Interface(instance))  # type: ignore[arg-type]
    write(compiled, tmp_path)
    (tmp_path / "main.cpp").write_text('#include "model.hpp"\nint main() {}\n')
    strict = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror", "-DTS_MODEL_NO_STEP"]
    for more in ([], ["-DTS_MODEL_PROFILE"]):
        compiles("gcc", ["-std=c11", "-O1", *strict, *more, "-c", *compiled.sources.compile], tmp_path)
    compiles("g++", ["-std=c++11", *strict, "-c", "main.cpp"], tmp_path)
    symbols = subprocess.run(
        ["nm", "model.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "ts_model_invoke" in symbols
    assert "step" not in symbols
    assert "ts_model_next" not in symbols


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_thirty_two_bits_and_no_library_are_enough(compiler: str, tmp_path: Path) -> None:
    compiled = compile_model(chain_model(), interface=CALLER)
    write(compiled, tmp_path)
    strict = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wpedantic", "-Werror"]
    freestanding = ["-m32", "-std=c11", "-ffreestanding", "-O2", *strict]
    compiles(compiler, [*freestanding, "-c", *compiled.sources.compile], tmp_path)


def test_places_are_chosen_in_a_header_and_cost_no_image(tmp_path: Path) -> None:
    compiled = compile_model(chain_model(), name="kws")
    write(compiled, tmp_path)
    (tmp_path / "product.h").write_text(
        '#define TS_KWS_ARENA_ATTRIBUTE __attribute__((section(".bss.sdram")))\n'
        '#define TS_KWS_WEIGHTS_ATTRIBUTE __attribute__((section(".ospi_flash")))\n'
    )
    config = '-DTS_CONFIG_HEADER="product.h"'
    core = ["-mcpu=cortex-m4", "-mthumb"]
    compiles("arm-none-eabi-gcc", [*STRICT, *core, "-I.", config, "-c", "kws.c", "kws_weights.c"], tmp_path)
    with (tmp_path / "kws.o").open("rb") as file:
        arena = ELFFile(file).get_section_by_name(".bss.sdram")
        assert arena["sh_type"] == "SHT_NOBITS"
        assert arena["sh_size"] == compiled.plan.arena_bytes
    with (tmp_path / "kws_weights.o").open("rb") as file:
        weights = ELFFile(file).get_section_by_name(".ospi_flash")
        assert weights["sh_type"] == "SHT_PROGBITS"
        assert weights["sh_size"] >= sum(constant.nbytes for constant in compiled.program.constants)


def test_a_compiler_without_gnu_attributes_gives_the_same_bytes(tmp_path: Path) -> None:
    """The headers of the C library want GNU C: only the kernels' own header is made to believe otherwise."""
    compiled = compile_model(chain_model(), interface=CALLER)
    write(compiled, tmp_path)
    header = tmp_path / "kernels/common/compiler.h"
    text = header.read_text()
    header.write_text(text.replace("defined(__GNUC__)", "0").replace("defined(__clang__)", "0"))
    flags = ["-std=c11", "-pedantic-errors", "-O1", "-Werror", "-Wall"]
    compiles("gcc", [*flags, "-shared", "-fPIC", *compiled.sources.compile, "-o", "m.so"], tmp_path)
    assert (
        "__attribute__"
        not in subprocess.run(
            ["gcc", "-E", "-P", "-I.", "model.c"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.split("ts_model_input")[-1]
    )


@pytest.mark.parametrize("name", ["output", "input_0", "step", "span", "linux", "tinyserve", "ready"])
@pytest.mark.parametrize("instance", ["static", "caller"])
def test_the_wrapper_of_a_model_with_a_member_s_name_compiles(
    name: str, instance: Instance, tmp_path: Path
) -> None:
    write(compile_model(chain_model(), name=name, interface=Interface(instance)), tmp_path)
    (tmp_path / "main.cpp").write_text(f'#include "{name}.hpp"\nint main() {{ return 0; }}\n')
    compiles("g++", ["-std=gnu++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "main.cpp"], tmp_path)
