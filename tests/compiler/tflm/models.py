"""Small .tflite files, and a tree that looks like TFLM's."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.flatbuffer_builder import ModelBuilder

DECLARATIONS = Path(__file__).parent / "declarations"
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
