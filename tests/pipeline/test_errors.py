# SPDX-License-Identifier: Apache-2.0
"""What does not fit together is said when the pipeline is loaded: what, where, and what to try."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec
import pytest

from tests.features.specs import spec
from tests.pipeline.streams import WAKE, network, write_models
from tests.slots.models import bundle_of, classifier
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import bundle
from tinyserve.convert.tflite.attach import attached
from tinyserve.errors import TinyserveError
from tinyserve.pipeline.compose import compose
from tinyserve.pipeline.spec import parse

A = 'name = "a", model = "a.tflite"'
B = 'name = "b", model = "b.tflite"'


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("nodes")
    write_models(made)
    for name in ("a", "b"):
        (made / f"{name}.tflite").write_bytes(classifier())
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 4), "int32"), graph.tensor((1, 4), "int32")
    graph.op("ADD", [x, x], [y])
    graph.output(y)
    (made / "whole.tflite").write_bytes(model.build())
    slow = attached(spec(WAKE.replace("8000", "16000")), network(3, (1, 3)))
    (made / "plain.tflite").write_bytes(
        attached(spec(WAKE.replace("stream = true", "").replace("[160]", "[256]")), network(3, (1, 3)))
    )
    for name, data, rate in (
        ("fast", slow, 16000.0),
        ("normal", (made / "wake.tflite").read_bytes(), 8000.0),
    ):
        kept = bundle_of_floats(data, made, name)
        manifest = msgspec.structs.replace(kept.manifest, rate_hz=rate, stream=True)
        (kept.path / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    return made


def bundle_of_floats(data: bytes, directory: Path, name: str) -> bundle.Bundle:
    made = bundle_of(classifier(), directory, name)
    manifest = msgspec.structs.replace(made.manifest, model_sha256=hashlib.sha256(data).hexdigest())
    made.model_path.write_bytes(data)
    return bundle.Bundle(made.path, manifest)


CASES = {
    "a circle": ([A + ', input = "b"', B + ', input = "a"'], "in a circle: a → b → a|in a circle: b → a → b"),
    "a circle by conditions": ([A + ", when = 'b[0] > 1'", B + ", when = 'a[0] > 1'"], "circle"),
    "itself": ([A + ", when = 'a[0] > 1'"], "circle: a → a"),
    "no such output": ([A, B + ", when = 'a.scores[0] > 0.5'"], "no output 'scores'.*it has: p"),
    "no such output by number": ([A, B + ", when = 'a.7 > 0.5'"], "no output '7'"),
    "no such value": ([A, B + ", when = 'a[4] > 0.5'"], "no value 4.*0 to 3"),
    "a value of many": ([A, B + ", when = 'a > 0.5'"], "a has 4 values.*max"),
    "no such class": ([A, B + """, when = 'a["yes"] > 0.5'"""], "no class 'yes'.*names none"),
    "no such node": ([A, B + ", when = 'c[0] > 0.5'"], "no such node.*a, b"),
    "a shape": ([A, B + ', input = "a"'], r"takes int8\[1, 16\], and 'a.p' is int8\[1, 4\]"),
    "a type": (
        ['name = "w", model = "whole.tflite"', 'name = "a", model = "whole.tflite", input = "x.y"'],
        "no name for an input",
    ),
    "types": ([A, 'name = "w", model = "whole.tflite", input = "a"'], "takes int32.*is int8"),
    "one input of two types": (
        [A, 'name = "w", model = "whole.tflite", input = "x"'],
        "is int8 for 'a', and int32 for 'w'",
    ),
    "an input that is not there": ([A + ', input = {y = "z"}'], "no input 'y'.*it has: x"),
    "rates": (
        [
            'name = "a", model = "normal.bundle", input = "s"',
            'name = "b", model = "fast.bundle", input = "s"',
        ],
        "8000 and 16000 samples per second",
    ),
    "a stream and none": (
        [
            'name = "a", model = "verify.tflite", input = "s"',
            'name = "b", model = "plain.tflite", input = "s"',
        ],
        "one is a stream|takes int16",
    ),
    "what is not there": (['name = "a", model = "gone.bundle"'], "node 'a'.*no such file"),
    "what is no model": (['name = "a", model = "pipeline.toml"'], "no bundle and no .tflite"),
    "a gateway without a condition": ([A, B + ', where = "gateway"'], "would send every inference"),
    "a gateway's answer": (
        [
            A,
            B + ", where = 'gateway', when = 'a[0] > 1'",
            'name = "c", model = "a.tflite", when = "b[0] > 0"',
        ],
        "does not come back",
    ),
    "weights": ([A, B, 'name = "m", kind = "average", input = ["a", "b"], weights = [1]'], "1 weight for 2"),
    "weights of nothing": (
        [A, B, 'name = "m", kind = "vote", input = ["a", "b"], weights = [0, 0]'],
        "not all of them 0",
    ),
    "scores of other classes": (
        [A, 'name = "w", model = "wake.tflite"', 'name = "m", kind = "average", input = ["a", "w"]'],
        "int8",
    ),
    "a decision that never is": (
        [A, 'name = "d", kind = "decision", input = "a", enter = 1.5'],
        "node 'd'.*no score",
    ),
    "margin of one": (
        [
            A,
            'name = "d", kind = "decision", input = "a", enter = 0.5',
            B + ", when = 'margin(d.nothing) > 0'",
        ],
        "no output 'nothing'",
    ),
    "never": ([A, B + ", when = 'not ran(a)'"], "never holds"),
    "code": ([A, B + """, when = '__import__("os")'"""], "a comparison"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_is_said(case: str, directory: Path) -> None:
    nodes, says = CASES[case]
    text = "nodes = [" + ", ".join(f"{{{node}}}" for node in nodes) + "]"
    with pytest.raises(TinyserveError) as caught:
        compose(parse(text.encode(), "pipeline.toml"), directory)
    assert re.search(says, f"{caught.value.message} {caught.value.hint}"), (
        caught.value.message,
        caught.value.hint,
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "nodes"),
        (b"\xff", "no text"),
        (b"nodes = 3", "Expected `array`"),
        (b"nodes = []", "nodes"),
        (b'nodes = [{name = "A b", model = "x"}]', "name"),
        (b'nodes = [{name = "a\\u0000", model = "x"}]', "name"),
        (b'nodes = [{name = "../a", model = "x"}]', "name"),
        (b'nodes = [{name = "ran", model = "x"}]', "means something else"),
        (b'nodes = [{name = "a", model = "x"}, {name = "a", model = "y"}]', "two nodes"),
        (b'nodes = [{name = "a", model = "x", wher = "gateway"}]', "wher"),
        (b'nodes = [{name = "a", kind = "mystery"}]', "mystery"),
        (b'nodes = [{name = "a", model = "x", where = "moon"}]', "moon"),
        (b'nodes = [{name = "a", model = "x"}]\n[outputs]\n"a b" = "a"', "outputs"),
        (b'nodes = [{name = "a", model = "x"}]\n[outputs]\na = "a"', "means something else"),
        (b'nodes = [{name = "a", kind = "average", input = []}]', "input"),
        (b"nodes = [" + b"[" * 2000, "pipeline.toml"),
    ],
)
def test_a_description_that_is_none_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(TinyserveError, match=says):
        parse(text, "pipeline.toml")


def test_a_rate_that_no_node_has_is_refused(directory: Path) -> None:
    text = b'rate_hz = 44100\nnodes = [{name = "a", model = "normal.bundle"}]'
    with pytest.raises(TinyserveError, match="44100 samples per second, and node 'a' takes 8000"):
        compose(parse(text, "pipeline.toml"), directory)
