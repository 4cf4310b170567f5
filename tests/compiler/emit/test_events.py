# SPDX-License-Identifier: Apache-2.0
"""``ts_NAME_on_event``: in both forms, from invoke and from steps, with its counts and its outputs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.compiler.emit.test_emit import STRICT, compiles
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model, write
from tinyserve.compiler.events import Events, EventSource, encoded
from tinyserve.compiler.program import Interface
from tinyserve.errors import ModelError

SOURCES = [EventSource("louder", 1), EventSource("asked", 2, [0, 1])]


def model(events: bytes) -> bytes:
    """The input doubled, and twice the input itself as what happened."""
    built = ModelBuilder()
    graph = built.graph()
    x = graph.input((1, 2), "int32")
    outputs = [graph.tensor((1, 2), "int32", name=name) for name in ("twice", "first", "second")]
    graph.op("ADD", [x, x], [outputs[0]])
    for output in outputs[1:]:
        graph.op("MAXIMUM", [x, x], [output])
    for output in outputs:
        graph.output(output)
    built.metadata("tinyserve.events", events)
    return built.build()


MAIN = """
#include <stdio.h>
#include "m.h"
static void heard(const ts_event *e)
{
    printf("%s %d %u %u %u %d\\n", e->name, (int)e->class_number, (unsigned)e->inference, (unsigned)e->sample,
           (unsigned)e->output_count, OWN(e));
}
int main(void)
{
    BEGIN
    const int32_t given[] = {-1, 7, 5, -1};
    for (int i = 0; i < 4; i++) {
        ((int32_t *)ts_m_input(FIRST 0))[0] = given[i];
        if (i < 3) {
            ts_m_invoke(ONLY);
        } else {
            while (ts_m_step(FIRST 1) == 0) {
            }
        }
        if (i == 1) {
            ts_m_reset(ONLY);
        }
    }
    ((int32_t *)ts_m_input(FIRST 0))[0] = 9;
    ts_m_on_event(FIRST NULL);
    ts_m_invoke(ONLY);
    ts_m_on_event(FIRST heard);
    while (ts_m_step(FIRST 1) == 0) {
    }
    return 0;
}
"""
STATIC = MAIN.replace("OWN(e)", "e->model == NULL").replace("FIRST ", "").replace("ONLY", "")
STATIC = STATIC.replace("BEGIN", "ts_m_init();\n    ts_m_on_event(heard);")
CALLER = MAIN.replace("OWN(e)", "e->model == &own").replace("FIRST ", "&own, ").replace("ONLY", "&own")
CALLER = CALLER.replace("BEGIN", "own.callback = heard;\n    if (ts_m_init(&own, arena)) { return 1; }\n    "
                                 "ts_m_on_event(&own, heard);")  # fmt: skip
CALLER = CALLER.replace("static void heard", "static ts_m own;\nstatic _Alignas(16) uint8_t "
                                             "arena[TS_M_ARENA_BYTES];\nstatic void heard", 1)  # fmt: skip


@pytest.mark.parametrize(("instance", "main"), [("static", STATIC), ("caller", CALLER)])
def test_each_event_is_called_back_once_with_its_place_in_time(
    instance: str, main: str, tmp_path: Path
) -> None:
    data = model(encoded(Events(SOURCES, 160)))
    compiled = compile_model(data, name="m", interface=Interface(instance))  # type: ignore[arg-type]
    write(compiled, tmp_path)
    (tmp_path / "main.c").write_text(main)
    compiles("gcc", [*STRICT, "main.c", *compiled.sources.compile, "-o", "main"], tmp_path)
    said = subprocess.run([tmp_path / "main"], capture_output=True, check=True, timeout=60).stdout.decode()
    assert said.splitlines() == [
        "louder 7 1 320 0 1",
        "asked 7 1 320 2 1",
        "louder 5 0 160 0 1",
        "asked 5 0 160 2 1",
        "louder 9 3 640 0 1",
        "asked 9 3 640 2 1",
    ]


def test_a_model_without_events_has_nothing_of_them() -> None:
    compiled = compile_model(model(encoded(Events())), name="m")
    text = "".join(str(compiled.sources.files[name]) for name in ("m.h", "m.c", "m.hpp"))
    assert "event" not in text.lower()


@pytest.mark.parametrize(
    ("events", "says"),
    [
        (b"{", "metadata"),
        (b'{"sources": [{"name": "Bad name", "output": 1}]}', "name"),
        (b'{"sources": [{"name": "e\\u0022", "output": 1}]}', "name"),
        (b'{"sources": [{"name": "e", "output": 9}]}', "beyond 3"),
        (b'{"sources": [{"name": "e", "output": 1, "payload": [3]}]}', "beyond 3"),
        (b'{"sources": [{"name": "e", "output": 1, "payload": [0, 2]}]}', "in a row"),
        (b'{"sources": [{"name": "e", "output": 1, "payload": [1, 0]}]}', "in a row"),
        (b'{"sources": [{"name": "e", "output": 1}, {"name": "e", "output": 2}]}', "one name"),
        (b'{"samples": 0}', "samples"),
        (b'{"callback": 1}', "callback"),
    ],
)
def test_a_description_that_contradicts_the_model_is_refused(events: bytes, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        compile_model(model(events))
