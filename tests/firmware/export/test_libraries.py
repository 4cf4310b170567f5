# SPDX-License-Identifier: Apache-2.0
"""Libraries are used as their build systems use them: two models in one program, the host model's bytes."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import boards
from tinyserve.cli.model.compile import command as compile_command
from tinyserve.cli.model.export import LIBRARIES as NAMED
from tinyserve.cli.model.export import command as export_command
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.convert.tflite.attach import decided
from tinyserve.errors import DataError, FileSystemError, UsageError
from tinyserve.features.spec import Decision
from tinyserve.firmware.export import LIBRARIES, Library, export_library
from tinyserve.firmware.platformio import core as cores
from tinyserve.firmware.platformio.pio import Pio
from tinyserve.firmware.platformio.project import render_project

STUBS = Path(__file__).parent / "stubs"
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
_CRATES = Path("/usr/share/cargo/registry")
CLASSES = 3


@cache
def network(seed: int, dtype: str = "int8") -> bytes:
    """A convolution and a fully connected layer: kernels with assembly on cores that have it."""
    rng = np.random.default_rng(seed)
    model = ModelBuilder()
    graph = model.graph()
    scale = 0.05 if dtype == "int8" else None
    x = graph.input((1, 6, 6, 4), dtype, *([scale] if scale else []))
    if dtype == "int8":
        weights = graph.constant(rng.integers(-9, 9, (8, 3, 3, 4), dtype=np.int8), [0.01] * 8, axis=0)
        dense = graph.constant(rng.integers(-9, 9, (CLASSES, 288), dtype=np.int8), 0.01)
        y, z = (
            graph.tensor((1, 6, 6, 8), dtype, 0.05),
            graph.tensor((1, CLASSES), dtype, 0.1, 3, name="scores"),
        )
    else:
        weights = graph.constant(rng.normal(size=(8, 3, 3, 4)).astype(np.float32))
        dense = graph.constant(rng.normal(size=(CLASSES, 288)).astype(np.float32))
        y, z = graph.tensor((1, 6, 6, 8), dtype), graph.tensor((1, CLASSES), dtype, name="scores")
    graph.op("CONV_2D", [x, weights, None], [y], padding="SAME", stride_h=1, stride_w=1)
    graph.op("FULLY_CONNECTED", [y, dense, None], [z], keep_num_dims=False)
    graph.output(z)
    return model.build()


def expected(data: bytes, value: int) -> list[int]:
    x = np.full((1, 6, 6, 4), value, np.int8)
    return HostModel(compile_model(data)).run([x])[0].reshape(-1).tolist()


def make(kind: str, directory: Path, name: str = "kws", data: bytes | None = None, **more: object) -> Path:
    library = Library(name, data or network(1), "Key words", **more)  # type: ignore[arg-type]
    export_library(kind, library, directory / name)
    return directory / name


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


with_crates = pytest.mark.skipif(not list(_CRATES.glob("cc-*")), reason="librust-cc-dev is not installed")


def cargo(*command: str, cwd: Path) -> str:
    """What cargo says, without a network: crates of others are those of Debian's packages."""
    need("cargo", "gcc")
    source = [
        "--config", 'source.crates-io.replace-with="debian"',
        "--config", f'source.debian.directory="{_CRATES}"',
    ]  # fmt: skip
    return run("cargo", *command, "--offline", *source, cwd=cwd)


def said_by_rust(main: str, crates: Sequence[str], directory: Path) -> str:
    """What a program with this main.rs prints, which uses crates in the directory."""
    product = directory / "product"
    (product / "src").mkdir(parents=True)
    (product / "src/main.rs").write_text(main)
    listed = "".join(f'{name} = {{ path = "../{name}" }}\n' for name in crates)
    (product / "Cargo.toml").write_text(
        f'[package]\nname = "product"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n{listed}'
    )
    return cargo("run", "-q", cwd=product)


# --- what holds for all


def test_the_command_names_the_kinds_there_are() -> None:
    assert list(NAMED) == list(LIBRARIES)


def command(*arguments: object) -> Result:
    return CliRunner().invoke(export_command, [str(one) for one in arguments])


def test_the_command_writes_a_library_called_as_asked_or_as_the_model(tmp_path: Path) -> None:
    model = tmp_path / "Key Words.v2.tflite"
    model.write_bytes(network(1))
    assert command(model, "--kind", "cmake", "-o", tmp_path / "a").exit_code == 0
    assert (tmp_path / "a/src/key_words_v2.h").is_file()
    done = command(model, "--kind", "cmake", "--name", "kws", "--release", "3.1.4", "-o", tmp_path / "b")
    assert done.exit_code == 0
    assert "project(kws VERSION 3.1.4" in (tmp_path / "b/CMakeLists.txt").read_text()


@pytest.mark.parametrize(
    "asked",
    [
        [],
        ["--kind", "rust", "--as", "cmake"],
        ["--as", "cmake", "--name", "kws"],
        ["--as", "cmake", "--instance", "caller"],
        ["--kind", "wasm", "--instance", "caller"],
    ],
)
def test_a_kind_is_one_of_libraries_or_of_projects(asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "kws.tflite").write_bytes(network(1))
    done = command(tmp_path / "kws.tflite", *asked, "-o", tmp_path / "out")
    assert isinstance(done.exception, UsageError)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", LIBRARIES)
def test_names_of_files_functions_and_targets_are_the_library_s(kind: str, tmp_path: Path) -> None:
    """Nothing that another model's library would have, too, but for kernels."""
    place = make(kind, tmp_path, "person_v2")
    texts = {
        path: path.read_text()
        for path in place.rglob("*")
        if path.is_file() and path.suffix not in (".pack", ".wasm") and "kernels" not in path.parts
    }
    assert any("person_v2" in path.name for path in texts) or kind == "rust"
    assert not [path for path, text in texts.items() if "ts_model_" in text or "TS_MODEL_" in text]
    assert not [path for path in texts if str(tmp_path) in texts[path]]
    assert (place / "README.md").is_file()
    assert (place / "LICENSE").is_file()


@pytest.mark.parametrize("name", ["Kws", "2fast", "a__b", "a-b", "int", "k" * 49, "", "../up", "kws_"])
def test_a_name_that_some_build_system_refuses_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--name"):
        Library(name, b"", "")


@pytest.mark.parametrize("name", ["time", "stdint", "test", "values", "wire", "task", "app", "lwip", "fs"])
def test_a_name_that_others_have_is_refused_with_one_that_works(name: str, tmp_path: Path) -> None:
    model = tmp_path / f"{name}.tflite"
    model.write_bytes(network(1))
    done = command(model, "--kind", "cmake", "--name", name, "-o", tmp_path / "a")
    assert isinstance(done.exception, UsageError)
    assert f"{name}_model" in done.exception.hint
    assert command(model, "--kind", "cmake", "-o", tmp_path / "b").exit_code == 0
    assert (tmp_path / f"b/src/{name}_model.h").is_file()


def test_a_file_where_a_directory_is_wanted_is_named(tmp_path: Path) -> None:
    model, file = tmp_path / "m.tflite", tmp_path / "file"
    model.write_bytes(network(1))
    file.write_text("mine")
    for place in (file, file / "below"):
        for done in (
            command(model, "--kind", "cmake", "-o", place),
            CliRunner().invoke(compile_command, [str(model), "-o", str(place)]),
        ):
            assert isinstance(done.exception, FileSystemError)
            assert f"{file} is a file" in done.exception.message
    assert file.read_text() == "mine"


def test_labels_and_instance_are_those_of_the_command(tmp_path: Path) -> None:
    model, labels = tmp_path / "m.tflite", tmp_path / "names.txt"
    model.write_bytes(network(1))
    labels.write_text("yes\nno\nunknown\n")
    given = ["--kind", "cmake", "--name", "kws", "--labels", labels]
    assert command(model, *given, "--instance", "caller", "-o", tmp_path / "a").exit_code == 0
    assert 'return "unknown"' in (tmp_path / "a/src/kws_values.h").read_text()
    assert "ts_kws_init(ts_kws *self" in (tmp_path / "a/src/kws.h").read_text()
    labels.write_text("yes\nno\n")
    done = command(model, *given, "-o", tmp_path / "b")
    assert isinstance(done.exception, DataError)
    assert "2 classes" in done.exception.message
    assert "3 values" in done.exception.message


@pytest.mark.parametrize("version", ["1", "1.0", "1.0.0-beta", "01.0.0", "1.0.0\n"])
def test_a_version_is_three_numbers(version: str) -> None:
    with pytest.raises(UsageError, match="--release"):
        Library("kws", b"", "", version)


@pytest.mark.parametrize("kind", LIBRARIES)
def test_a_title_breaks_out_of_no_file(kind: str, tmp_path: Path) -> None:
    title = 'a"; b\n#c */ $(d) ${e} {{f}} <g> \\'
    export_library(kind, Library("kws", network(1), title), tmp_path / "kws")
    if kind == "platformio-library":
        json.loads((tmp_path / "kws/library.json").read_text())
    if kind == "rust":
        tomllib = pytest.importorskip("tomllib")
        assert tomllib.loads((tmp_path / "kws/Cargo.toml").read_text())["package"]["name"] == "kws"
    if kind == "arduino-library":
        lines = (tmp_path / "kws/library.properties").read_text().splitlines()
        assert len(lines) == 11
    if kind == "cmsis-pack":
        Xml.parse(tmp_path / "kws/tinyserve.kws.pdsc")


# --- CMake

CPP = """
#include <cstdio>
#include "kws.hpp"
#include "vww.hpp"

template <typename Model> void show() {
  Model model;
  for (auto &value : model.input()) { value = 7; }
  if (!model.invoke()) { std::puts("failed"); }
  for (const auto value : model.output()) { std::printf("%d ", value); }
}

int main() { show<tinyserve::kws>(); show<tinyserve::vww>(); }
"""


def test_a_cpp_project_uses_two_models_and_keeps_its_flags(tmp_path: Path) -> None:
    """One by add_subdirectory, one by find_package; the project knows of no C."""
    need("cmake", "ninja", "g++")
    make("cmake", tmp_path, "kws", network(1))
    make("cmake", tmp_path, "vww", network(2))
    (tmp_path / "main.cpp").write_text(CPP)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(product CXX)\n"
        "add_subdirectory(kws)\nadd_subdirectory(kws again)\n"
        'list(APPEND CMAKE_PREFIX_PATH "${CMAKE_CURRENT_SOURCE_DIR}/vww")\n'
        "find_package(vww 1.0 CONFIG REQUIRED)\n"
        "add_executable(product main.cpp)\ntarget_link_libraries(product kws::kws vww::vww)\n"
        'message(STATUS "flags [${CMAKE_C_FLAGS}] [${CMAKE_CXX_FLAGS}] [${CMAKE_BUILD_TYPE}]")\n'
    )
    said = run("cmake", "-G", "Ninja", "-S", ".", "-B", "build", cwd=tmp_path)
    assert "flags [] [] []" in said
    run("cmake", "--build", "build", cwd=tmp_path)
    values = run(tmp_path / "build/product", cwd=tmp_path).split()
    assert list(map(int, values)) == expected(network(1), 7) + expected(network(2), 7)


def test_two_models_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    need("cmake", "ninja")
    make("cmake", tmp_path / "a", "kws", network(1))
    make("cmake", tmp_path / "b", "kws", network(2))
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(product C)\n"
        "add_subdirectory(a/kws)\nadd_subdirectory(b/kws)\n"
    )
    done = subprocess.run(
        ["cmake", "-G", "Ninja", "-S", ".", "-B", "build"], cwd=tmp_path, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "another --name" in done.stderr


def test_an_installed_package_is_found_by_version(tmp_path: Path) -> None:
    need("cmake", "ninja", "gcc")
    place = make("cmake", tmp_path, "kws", version="2.3.1")
    run("cmake", "-G", "Ninja", "-S", ".", "-B", "build", "-DCMAKE_INSTALL_PREFIX=../root", cwd=place)
    run("cmake", "--build", "build", "--target", "install", cwd=place)
    product = tmp_path / "product"
    product.mkdir()
    (product / "main.c").write_text(
        '#include "kws.h"\nint main(void) { ts_kws_init(); return ts_kws_invoke(); }\n'
    )
    lists = (
        "cmake_minimum_required(VERSION 3.16)\nproject(product C)\nfind_package(kws %s CONFIG REQUIRED)\n"
        "add_executable(product main.c)\ntarget_link_libraries(product kws::kws)\n"
    )
    command = ["cmake", "-G", "Ninja", "-S", ".", "-DCMAKE_PREFIX_PATH=" + str(tmp_path / "root")]
    (product / "CMakeLists.txt").write_text(lists % "2.3")
    run(*command, "-B", "build", cwd=product)
    run("cmake", "--build", "build", cwd=product)
    run(product / "build/product", cwd=product)
    for refused in ("3.0", "1.0", "2.4"):
        (product / "CMakeLists.txt").write_text(lists % refused)
        done = subprocess.run(
            [*command, "-B", f"build{refused}"], cwd=product, capture_output=True, timeout=60, check=False
        )
        assert done.returncode != 0, refused


@pytest.mark.parametrize("board", ["cortex-m4", "cortex-m0"])
def test_a_cross_build_brings_its_own_toolchain(board: str, tmp_path: Path) -> None:
    """With the project's toolchain file, which the package leaves alone; kernels in assembly."""
    need("cmake", "ninja", "arm-none-eabi-gcc")
    make("cmake", tmp_path, "kws", board=boards.load(board))
    core = {
        "cortex-m4": "-mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
        "cortex-m0": "-mcpu=cortex-m0 -mthumb",
    }
    (tmp_path / "arm.cmake").write_text(
        "set(CMAKE_SYSTEM_NAME Generic)\nset(CMAKE_C_COMPILER arm-none-eabi-gcc)\n"
        "set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)\nset(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\n"
        f'set(CMAKE_C_FLAGS_INIT "{core[board]}")\nset(CMAKE_ASM_FLAGS_INIT "{core[board]}")\n'
    )
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(product C)\nadd_subdirectory(kws)\n"
    )
    run("cmake", "-G", "Ninja", "-S", ".", "-B", "build", "-DCMAKE_TOOLCHAIN_FILE=arm.cmake", cwd=tmp_path)
    run("cmake", "--build", "build", cwd=tmp_path)
    wrong = core["cortex-m0"] if board == "cortex-m4" else None
    if wrong:  # kernels for DSP on a core without: an error, not a wrong build
        source = tmp_path / "kws/src"
        done = subprocess.run(
            ["arm-none-eabi-gcc", *wrong.split(), "-c", "kws.c"], cwd=source, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode != 0
        assert "DSP extension" in done.stderr


# --- Rust


@with_crates
def test_crates_of_two_models_serve_a_program_without_std_of_theirs(tmp_path: Path) -> None:
    make("rust", tmp_path, "kws", network(1))
    make("rust", tmp_path, "vww", network(2))
    main = (
        "fn main() {\n"
        "    let (mut a, mut b, mut c) = (kws::Arena::new(), vww::Arena::new(), kws::Arena::new());\n"
        "    let (mut kws, mut vww) = (kws::Model::new(&mut a), vww::Model::new(&mut b));\n"
        "    let mut second = kws::Model::new(&mut c);\n"
        "    kws.input().fill(7); vww.input().fill(7); second.input().fill(3);\n"
        "    kws.invoke().unwrap(); vww.invoke().unwrap();\n"
        "    let thread = std::thread::scope(|s| s.spawn(|| {\n"
        "        while !second.step(1) {} second.output().to_vec() }).join());\n"
        '    println!("{:?}", [kws.output().to_vec(), vww.output().to_vec(), thread.unwrap()]);\n'
        "}\n"
    )
    said = said_by_rust(main, ["kws", "vww"], tmp_path)
    assert json.loads(said) == [expected(network(1), 7), expected(network(2), 7), expected(network(1), 3)]
    assert "1 passed" in cargo("test", "--doc", cwd=tmp_path / "kws")


def test_a_crate_is_called_no_word_of_rust(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Rust"):
        make("rust", tmp_path, "match")


# --- PlatformIO


def test_a_platformio_project_takes_two_models_by_lib_deps(tmp_path: Path) -> None:
    """Offline, with the development platform: both are found by their manifests, built and linked."""
    make("platformio-library", tmp_path, "kws", network(1))
    make("platformio-library", tmp_path, "vww", network(2))
    core = tmp_path / "core"
    cores.provision(core)
    project = tmp_path / "product"
    render_project(compile_model(network(3)), boards.load("cortex-m4"), project)
    ini = project / "platformio.ini"
    dependencies = "".join(f"    symlink://{tmp_path / name}\n" for name in ("kws", "vww"))
    ini.write_text(f"{ini.read_text()}lib_deps =\n{dependencies}")
    main = project / "src" / "main.c"
    main.write_text(
        main.read_text() + "\n#include <kws.h>\n#include <vww.h>\nint use_models(void);\n"
        "int use_models(void) { ts_kws_init(); ts_vww_init(); return ts_kws_invoke() + ts_vww_invoke(); }\n"
    )
    done = Pio(core).run("run", "-v", directory=project, timeout_s=150)
    assert done.status == 0, done.output
    assert all(
        re.search(rf"libkws\.a|lib\w+/{name}/{name}\.c\.o|{name}_weights", done.output)
        for name in ("kws", "vww")
    )


def test_platformio_itself_reads_the_manifest(tmp_path: Path) -> None:
    from platformio.package.manifest.parser import ManifestParserFactory
    from platformio.package.manifest.schema import ManifestSchema

    place = make("platformio-library", tmp_path)
    parsed = ManifestParserFactory.new_from_file(str(place / "library.json")).as_dict()
    assert parsed.pop("license") == "Apache-2.0"  # of which PlatformIO fetches the list from the network
    loaded = ManifestSchema().load_manifest(parsed)
    assert (loaded["name"], loaded["version"]) == ("kws", "1.0.0")
    for example in loaded["examples"]:
        assert all((place / example["base"] / file).is_file() for file in example["files"])


# --- Arduino

CATEGORIES = (
    "Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage",
    "Data Processing", "Other",
)  # fmt: skip


def test_an_arduino_library_keeps_the_rules_of_its_registry(tmp_path: Path) -> None:
    """The rules of Arduino's library specification and of its linter, those that concern such a library."""
    place = make("arduino-library", tmp_path)
    lines = (place / "library.properties").read_text().splitlines()[1:]  # behind the licence
    properties = dict(line.split("=", 1) for line in lines)
    required = {
        "name",
        "version",
        "author",
        "maintainer",
        "sentence",
        "paragraph",
        "category",
        "url",
        "architectures",
    }
    assert required <= properties.keys() <= required | {"includes", "depends", "license"}
    assert len(lines) == len(properties)
    assert all(value.strip() == value and value for value in properties.values())
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", properties["name"])
    assert "arduino" not in properties["name"].lower()
    assert re.fullmatch(r"\d+\.\d+\.\d+", properties["version"])
    assert properties["category"] in CATEGORIES
    assert re.match(r"https?://", properties["url"])
    assert properties["sentence"] not in properties["paragraph"]
    assert (place / "src" / properties["includes"]).is_file()
    assert {path.name for path in place.iterdir()} <= {
        "library.properties", "keywords.txt", "README.md", "LICENSE", "src", "examples",
    } | {".tinyserve-export"}  # fmt: skip
    for sketch in (place / "examples").iterdir():
        assert (sketch / f"{sketch.name}.ino").is_file()
    for line in (place / "keywords.txt").read_text().splitlines()[1:]:
        assert re.fullmatch(r"\w+\t(KEYWORD[123]|LITERAL[12])", line)
    assert not [
        p for p in place.rglob("*") if p.is_symlink() or p.suffix in (".exe", ".o", ".a") or " " in p.name
    ]


def ran(sketch: Path, sources: Path, directory: Path, loops: int = 1) -> dict[str, str]:
    """What a sketch prints in its first loops with a stub of the core, by the words before the colon."""
    need("g++", "gcc")
    main = f"int main() {{ setup(); for (int i = 0; i < {loops}; i++) {{ loop(); }} }}\n"
    (directory / "main.cpp").write_text(f'#include "{sketch}"\n{main}')
    run("gcc", "-std=gnu11", "-O1", *STRICT, "-c", *sources.rglob("*.c"), cwd=directory)
    includes = [f"-I{STUBS}", f"-I{sources}"]
    run("g++", "-std=gnu++11", *includes, "main.cpp", *directory.glob("*.o"), "-o", "program", cwd=directory)
    lines = run(directory / "program", cwd=directory).splitlines()
    return dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_the_sketch_of_the_example_runs_on_a_sensor(dtype: str, tmp_path: Path) -> None:
    place = make("arduino-library", tmp_path, "kws", network(1, dtype))
    said = ran(place / "examples/classify/classify.ino", place / "src", tmp_path)
    assert said.keys() == {"class", "score", "microseconds"}
    if dtype == "int8":
        lowest, highest = -128 * 0.05, 127 * 0.05
        quantized = round((lowest + (highest - lowest) * 512 / 1023) / 0.05)
        scores = [round((value - 3) * 0.1, 3) for value in expected(network(1), quantized)]
        assert float(said["score"]) == pytest.approx(max(scores))
        assert int(said["class"]) == scores.index(max(scores))


def test_a_sketch_prints_the_name_of_a_class(tmp_path: Path) -> None:
    names = tuple(f"word {index}" for index in range(CLASSES))
    directory = tmp_path / "listener"
    export_library("arduino", Library("kws", network(1, "int8"), "kws", labels=names), directory)
    assert {path.name for path in directory.iterdir()} >= {"listener.ino", "src", "README.md", "LICENSE"}
    said = ran(directory / "listener.ino", directory / "src", tmp_path)
    assert said["class"] in names


def listener(caller: bool) -> Library:
    """Scores of two classes in a stream, and a decision that one is heard after two inferences."""
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 2), "float32"), graph.tensor((1, 2), "float32")
    graph.op("ADD", [x, graph.constant(np.array([[0.1, 0.8]], np.float32))], [y])
    graph.output(y)
    data = decided(Decision(enter=1.0, leave=0.5, hold=2), model.build())
    return Library("kws", data, "kws", labels=("noise", "yes"), instance="caller" if caller else "static")


@pytest.mark.parametrize("caller", [False, True])
def test_a_sketch_of_a_model_with_a_decision_prints_events_and_no_greatest_score(
    caller: bool, tmp_path: Path
) -> None:
    directory = tmp_path / "listener"
    export_library("arduino", listener(caller), directory)
    sketch, sources = directory / "listener.ino", directory / "src"
    assert ran(sketch, sources, tmp_path, loops=1) == {}  # it has to hold
    assert ran(sketch, sources, tmp_path, loops=9) == {"event": "yes"}


@pytest.mark.parametrize("kind", ["platformio-library", "stm32cube", "esp-idf-component", "zephyr-module"])
def test_samples_of_every_kind_ask_for_events_where_there_are_some(kind: str, tmp_path: Path) -> None:
    export_library(kind, listener(True), tmp_path / "kws")
    texts = [path.read_text() for path in (tmp_path / "kws").rglob("*.c") if "on_event" in path.read_text()]
    samples = [text for text in texts if "ts_kws_on_event(&model, " in text]
    assert len(samples) == 1


def test_an_arduino_library_compiles_for_avr(tmp_path: Path) -> None:
    """The 16-bit int of the smallest Arduino core, as its platform compiles: recursively below src."""
    need("avr-gcc")
    place = make("arduino-library", tmp_path)
    sources = list((place / "src").rglob("*.c"))
    run("avr-gcc", "-mmcu=atmega2560", "-std=gnu11", "-Os", "-c", *sources, cwd=tmp_path)


def test_constants_in_a_flash_that_avr_can_t_read_as_memory_are_refused(tmp_path: Path) -> None:
    need("avr-gcc")
    source = make("arduino-library", tmp_path) / "src/kws_weights.c"
    command = [
        "avr-gcc",
        "-std=gnu11",
        "-DTS_KWS_WEIGHTS_ATTRIBUTE=__attribute__((progmem))",
        "-c",
        str(source),
    ]
    mapped, refused = (
        subprocess.run([*command, f"-mmcu={chip}"], cwd=tmp_path, capture_output=True, text=True, check=False)
        for chip in ("attiny1614", "atmega2560")
    )
    assert mapped.returncode == 0, mapped.stderr
    assert "constants can't lie there" in refused.stderr


# --- Zephyr, ESP-IDF, STM32Cube


ZEPHYR = """
cmake_minimum_required(VERSION 3.16)
project(sample C)
set(CONFIG_MODEL_KWS y)
set(CONFIG_MODEL_KWS_ARENA_SECTION y)
set(CONFIG_MODEL_KWS_ARENA_SECTION_NAME ".noinit.kws")
set(CONFIG_MODEL_KWS_SPEED y)
macro(zephyr_library_named name)
  add_library(${name} STATIC)
  set(current ${name})
endmacro()
macro(zephyr_library_sources)
  target_sources(${current} PRIVATE ${ARGN})
endmacro()
macro(zephyr_include_directories)
  foreach(one ${ARGN})
    include_directories(${CMAKE_SOURCE_DIR}/kws/zephyr/${one})
    set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY
      INCLUDE_DIRECTORIES ${CMAKE_SOURCE_DIR}/kws/zephyr/${one})
  endforeach()
endmacro()
macro(zephyr_library_compile_definitions)
  target_compile_definitions(${current} PRIVATE ${ARGN})
endmacro()
macro(zephyr_library_compile_options)
  target_compile_options(${current} PRIVATE ${ARGN})
endmacro()
add_subdirectory(kws/zephyr)
add_executable(sample kws/samples/classify/src/main.c)
target_include_directories(sample PRIVATE STUBS)
target_link_libraries(sample kws)
"""


def test_a_zephyr_module_s_cmake_and_sample_build_with_zephyr_s_functions_stubbed(tmp_path: Path) -> None:
    need("cmake", "ninja", "gcc")
    place = make("zephyr-module", tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(ZEPHYR.replace("STUBS", str(STUBS)))
    run("cmake", "-G", "Ninja", "-S", ".", "-B", "build", cwd=tmp_path)
    run("cmake", "--build", "build", cwd=tmp_path)
    said = run(tmp_path / "build/sample", cwd=tmp_path)
    assert said.splitlines()[0].split() == ["output", "0:", *map(str, expected(network(1), 0))]
    assert ".noinit.kws" in run("objdump", "-h", "build/kws/zephyr/libkws.a", cwd=tmp_path)
    module = yaml.safe_load((place / "zephyr/module.yml").read_text())
    assert module["name"] == "kws"
    assert (place / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (place / module["build"]["kconfig"]).is_file()
    assert all((place / one / "classify/prj.conf").is_file() for one in module["samples"])
    assert yaml.safe_load((place / "samples/classify/sample.yaml").read_text())["tests"]


@pytest.mark.parametrize("kind", ["zephyr-module", "esp-idf-component"])
def test_kconfig_itself_reads_the_options(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kconfiglib = pytest.importorskip("kconfiglib")
    place = make(kind, tmp_path)
    path = place / ("zephyr/Kconfig" if kind == "zephyr-module" else "Kconfig")
    config = kconfiglib.Kconfig(str(path), warn_to_stderr=False)
    names = {name for name in config.syms if name.startswith("MODEL_KWS")}
    assert names
    if kind == "zephyr-module":
        config.syms["MODEL_KWS"].set_value(2)
        assert config.syms["MODEL_KWS_SPEED"].str_value == "y"
        prj = place / "samples/classify/prj.conf"
        config.load_config(str(prj), replace=False)
        assert config.syms["MODEL_KWS"].str_value == "y"


IDF = """
cmake_minimum_required(VERSION 3.16)
project(sample C)
macro(idf_component_register)
  cmake_parse_arguments(IDF "" "" "SRCS;INCLUDE_DIRS;PRIV_REQUIRES" ${ARGN})
  set(COMPONENT_LIB component)
  add_library(component STATIC ${IDF_SRCS})
  target_include_directories(component PUBLIC ${IDF_INCLUDE_DIRS})
  target_include_directories(component PRIVATE STUBS)
endmacro()
set(CONFIG_MODEL_KWS_ARENA_IN_PSRAM y)
add_subdirectory(kws)
add_executable(sample kws/examples/classify/main/main.c main.c)
target_include_directories(sample PRIVATE STUBS)
target_link_libraries(sample component)
"""


def test_an_esp_idf_component_builds_with_idf_s_function_stubbed(tmp_path: Path) -> None:
    need("cmake", "ninja", "gcc")
    place = make("esp-idf-component", tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(IDF.replace("STUBS", str(STUBS)))
    (tmp_path / "main.c").write_text("void app_main(void);\nint main(void) { app_main(); }\n")
    run("cmake", "-G", "Ninja", "-S", ".", "-B", "build", cwd=tmp_path)
    run("cmake", "--build", "build", cwd=tmp_path)
    said = run(tmp_path / "build/sample", cwd=tmp_path)
    assert said.splitlines()[0].split() == ["output", "0:", *map(str, expected(network(1), 0))]
    assert ".ext_ram.bss" in run("objdump", "-h", "build/kws/libcomponent.a", cwd=tmp_path)
    manifest = yaml.safe_load((place / "idf_component.yml").read_text())
    assert manifest["version"] == "1.0.0"
    assert manifest["dependencies"] == {"idf": ">=5.0"}
    own = yaml.safe_load((place / "examples/classify/main/idf_component.yml").read_text())
    path = place / "examples/classify/main" / own["dependencies"]["kws"]["override_path"]
    assert (path / "idf_component.yml").samefile(place / "idf_component.yml")


def test_the_folders_for_cubeide_compile_beside_a_main_h_of_cubemx(tmp_path: Path) -> None:
    need("arm-none-eabi-gcc")
    objects, listed = [], []
    for name in ("kws", "vww"):
        place = make("stm32cube", tmp_path, name, network(1), board=boards.load("cortex-m4"))
        readme = (place / "README.md").read_text(encoding="utf-8")
        needed = {
            f"Middlewares/{name}/{source}" for source in re.findall(r"^- `(.+)`$", readme, re.MULTILINE)
        }
        assert f"Middlewares/{name}/{name}.c" in needed and "assembly lies in subfolders" in readme
        middleware = place / "Middlewares" / name
        sources = [*middleware.rglob("*.c"), *middleware.rglob("*.S"), *place.rglob("Core/Src/*.c")]
        flags = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-std=gnu11", "-O2"]
        includes = [f"-I{STUBS}", f"-I{middleware}", f"-I{place / 'Core/Inc'}"]
        for source in sources:
            made = tmp_path / f"{name}_{len(objects)}.o"
            run("arm-none-eabi-gcc", *flags, *STRICT, *includes, "-c", source, "-o", made, cwd=tmp_path)
            objects.append(made)
            if str(source.relative_to(place)) in {*needed, f"Core/Src/app_{name}.c"}:
                listed.append(made)
    run("arm-none-eabi-ld", "-r", *objects, "-o", "both.o", cwd=tmp_path)  # no symbol is defined twice
    run("arm-none-eabi-ld", "-r", *listed, "-o", "listed.o", cwd=tmp_path)
    assert "ts_" not in run("arm-none-eabi-nm", "-u", "listed.o", cwd=tmp_path), (
        "the README names all sources"
    )


EXAMPLES = {
    "zephyr-module": "samples/classify/src/main.c",
    "esp-idf-component": "examples/classify/main/main.c",
    "platformio-library": "examples/classify/src/main.c",
    "stm32cube": "Core/Src/app_kws.c",
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_examples_bring_context_and_arena_where_they_are_the_caller_s(kind: str, tmp_path: Path) -> None:
    need("gcc")
    place = make(kind, tmp_path, instance="caller")
    includes = [f"-I{STUBS}", f"-I{next(place.rglob('kws.h')).parent}", f"-I{place / 'Core/Inc'}"]
    run("gcc", "-std=gnu11", *STRICT, *includes, "-fsyntax-only", place / EXAMPLES[kind], cwd=tmp_path)
    assert not any("ARENA_" in path.read_text() for path in place.rglob("Kconfig"))


# --- CMSIS pack

CORES = {
    "Portable": [{"Dcore": "Cortex-M3"}, {"Dcore": "Cortex-M4", "Dfpu": "NO_FPU"},
                 {"Dcore": "Cortex-A7", "Dfpu": "FPU"},
                 {"Dcore": "Cortex-M33", "Dfpu": "SP_FPU", "Ddsp": "NO_DSP"}],
    "Armv6-M": [{"Dcore": "Cortex-M0"}, {"Dcore": "Cortex-M0+", "Dfpu": "NO_FPU"}],
    "DSP": [{"Dcore": "Cortex-M4", "Dfpu": "SP_FPU"}, {"Dcore": "Cortex-M7", "Dfpu": "DP_FPU"},
            {"Dcore": "Cortex-M33", "Dfpu": "FPU", "Ddsp": "DSP"}],
    "Helium": [{"Dcore": "Cortex-M55", "Dfpu": "DP_FPU", "Dmve": "FP_MVE"}],
}  # fmt: skip
FLAGS = {
    "Portable": ["-mcpu=cortex-m3"],
    "Armv6-M": ["-mcpu=cortex-m0"],
    "DSP": ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "Helium": ["-mcpu=cortex-m55", "-mfloat-abi=hard"],
}


def fits(condition: Xml.Element, device: dict[str, str]) -> bool:
    """As tools evaluate a condition: nothing denied, and something accepted where anything is."""

    def holds(one: Xml.Element) -> bool:
        return all(device.get(name) == value for name, value in one.attrib.items())

    accepts = condition.findall("accept")
    return not any(map(holds, condition.findall("deny"))) and (not accepts or any(map(holds, accepts)))


def test_every_core_gets_one_variant_of_the_pack_s_component(tmp_path: Path) -> None:
    place = make("cmsis-pack", tmp_path)
    pack = Xml.parse(place / "tinyserve.kws.pdsc").getroot()
    conditions = {one.attrib["id"]: one for one in pack.iter("condition")}
    components = {one.attrib["Cvariant"]: one for one in pack.iter("component")}
    assert components.keys() == CORES.keys()
    for variant, devices in CORES.items():
        for device in devices:
            fitting = [v for v, c in components.items() if fits(conditions[c.attrib["condition"]], device)]
            assert fitting == [variant], device
    assert [one.tag for one in pack][:5] == ["vendor", "name", "description", "url", "license"]
    assert pack.findtext("url", "").endswith("/")
    assert (place / pack.findtext("license", "")).is_file()
    for file in pack.iter("file"):
        assert (place / file.attrib["name"]).exists(), file.attrib["name"]


def test_the_variants_of_a_pack_compile_for_their_cores(tmp_path: Path) -> None:
    need("arm-none-eabi-gcc")
    place = make("cmsis-pack", tmp_path)
    pack = Xml.parse(place / "tinyserve.kws.pdsc").getroot()
    for component in pack.iter("component"):
        sources = [
            one.attrib["name"]
            for one in component.iter("file")
            if one.attrib["category"].startswith("source")
        ]
        directory = tmp_path / component.attrib["Cvariant"]
        directory.mkdir()
        flags = [*FLAGS[directory.name], "-mthumb", "-std=c11", "-O1"]
        run("arm-none-eabi-gcc", *flags, "-c", *(place / one for one in sources), cwd=directory)


def test_a_pack_is_its_own_files_and_the_same_bytes_whenever_written(tmp_path: Path) -> None:
    packs = [make("cmsis-pack", tmp_path / one) / "tinyserve.kws.1.0.0.pack" for one in ("a", "b")]
    assert packs[0].read_bytes() == packs[1].read_bytes()
    with zipfile.ZipFile(io.BytesIO(packs[0].read_bytes())) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            assert archive.read(name) == (packs[0].parent / name).read_bytes()
        assert "tinyserve.kws.pdsc" in archive.namelist()
