# SPDX-License-Identifier: Apache-2.0
"""Small .tflite files, and a tree that looks like TFLM's."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.flatbuffer_builder import ModelBuilder

DECLARATIONS = Path(__file__).parent / "declarations"
STAND_IN = Path(__file__).parent / "stand_in"
TOY = Path(__file__).parent / "toy" / "library.cc"


def add_model() -> bytes:
    """int8[1, 8] + itself."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 8), "int8", scale=0.5)
    y = graph.tensor((1, 8), "int8", scale=1.0)
    graph.op("ADD", [x, x], [y])
    graph.output(y)
    return model.build()


def toy_tree(directory: Path) -> Path:
    """A source tree for --tflm: the declarations, and a toy for a library."""
    tree = directory / "tflm"
    shutil.copytree(DECLARATIONS, tree)
    shutil.copy(TOY, tree / "tensorflow" / "lite" / "micro" / "toy.cc")
    tests = tree / "tensorflow" / "lite" / "micro" / "toy_test.cc"
    tests.write_text("#error tests of the library are not part of it\n")
    return tree


def stand_in_tree(directory: Path, *, kernels: str = "cmsis_nn") -> Path:
    """Sources with TFLM's file layout and symbols, as create_tflm_tree.py writes them: one kernel of each
    name, CMSIS-NN's or the reference's, and the third parties' headers where TFLM has them."""
    tree = checkout(directory)
    own = tree / "tensorflow" / "lite" / "micro" / "kernels"
    shutil.rmtree(own / "xtensa")
    if kernels == "cmsis_nn":
        (own / "scale.cc").unlink()
    else:
        shutil.rmtree(own / "cmsis_nn")
        shutil.rmtree(tree / "third_party" / "cmsis_nn")
        shutil.rmtree(tree / "third_party" / "cmsis")
    return tree


def checkout(directory: Path) -> Path:
    """The kernels of all vendors, as a checkout has them."""
    tree = directory / "tree"
    shutil.copytree(DECLARATIONS, tree)
    shutil.copytree(STAND_IN, tree, dirs_exist_ok=True)
    micro = tree / "tensorflow" / "lite" / "micro"
    toy = TOY.read_text().replace("TFLM_BEGIN", _CALLS_KERNEL, 1)
    (micro / "micro_interpreter.cc").write_text(toy.replace("output[0] + known", "scale(output[0]) + known"))
    return tree


_CALLS_KERNEL = '#include "tensorflow/lite/micro/kernels/scale.h"\n\nTFLM_BEGIN'


def arduino_layout(directory: Path) -> Path:
    """The same as an Arduino library: below src, .cpp for .cc, and what only Arduino's core can compile."""
    tree = stand_in_tree(directory)
    library = directory / "Arduino_TensorFlowLite"
    shutil.copytree(tree, library / "src")
    for path in list((library / "src").rglob("*.cc")):
        path.rename(path.with_suffix(".cpp"))
    (library / "library.properties").write_text("name=Arduino_TensorFlowLite\n")
    micro = library / "src" / "tensorflow" / "lite" / "micro"
    (micro / "debug_log.cpp").write_text("#include <Arduino.h>\nvoid log() { Serial.begin(9600); }\n")
    examples = library / "examples" / "hello_world"
    examples.mkdir(parents=True)
    (examples / "hello_world.cpp").write_text("#error sketches are not part of it\n")
    (library / "src" / "peripherals").mkdir()
    (library / "src" / "peripherals" / "led.cpp").write_text("#include <Arduino.h>\n")
    return library
