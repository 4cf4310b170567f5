# SPDX-License-Identifier: Apache-2.0
"""Events in Rust, in the module for browsers and on its page: those that the host model calls back with."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.export.test_libraries import cargo, listener, said_by_rust, with_crates
from tests.firmware.export.test_wasm import chromium, node, page_with
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.firmware.export import export_library

SCORES = [0.0, 0.0, 0.0, 0.9, -1.0, -1.0, 0.3, 0.3]
"""Of class 1, which has 0.8 of its own: heard where two in a row are 1 or more, until one is below 0.5."""
GIVEN = [value + 0.3 for value in SCORES]


def heard() -> list[list[list[int]]]:
    """Per inference its events: class, inference, sample."""
    batch = np.array([[[0.0, value]] for value in GIVEN], np.float32)
    said: list[list[list[int]]] = [[] for _ in GIVEN]
    for event in HostModel(compile_model(listener(False).data)).events([batch])[1]:
        said[event.inference].append([event.class_number, event.inference, event.sample])
    assert sum(map(len, said)) >= 2
    assert [] in said
    return said


@with_crates
@pytest.mark.parametrize("how", ["model.invoke().unwrap();", "while !model.step(1) {}"])
def test_a_crate_has_the_events_of_each_inference(how: str, tmp_path: Path) -> None:
    export_library("rust", listener(False), tmp_path / "kws")
    given = ",".join(f"{value}f32" for value in GIVEN)
    main = (
        "fn heard(model: &mut kws::Model) -> Vec<Vec<Vec<u64>>> {\n"
        f"    [{given}].iter().map(|value| {{\n"
        f"        *model.input() = [0.0, *value]; {how}\n"
        "        model.events().iter().map(|e| { assert_eq!(e.name(), kws::EVENTS[0]);\n"
        "            vec![e.class_number as u64, e.inference as u64, e.sample] }).collect()\n"
        "    }).collect()\n}\n"
        "fn main() {\n"
        "    let (mut a, mut b) = (kws::Arena::new(), kws::Arena::new());\n"
        "    let mut first = kws::Model::new(&mut a);\n"
        "    let mut model = kws::Model::new(&mut b);\n"
        "    *first.input() = [0.0, 0.3]; first.invoke().unwrap(); assert!(first.events().is_empty());\n"
        "    let mut said = vec![heard(&mut model)];\n"
        "    let mut moved = Box::new(model); // elsewhere in memory\n"
        "    moved.reset(); assert!(moved.events().is_empty());\n"
        "    said.push(heard(&mut moved));\n"
        "    *first.input() = [0.0, 0.3]; first.invoke().unwrap();\n"
        "    assert_eq!(first.events()[0].inference, 1);\n"
        '    println!("{:?}", said);\n}\n'
    )
    assert json.loads(said_by_rust(main, ["kws"], tmp_path)) == [heard(), heard()]
    if how.startswith("model"):
        assert "1 passed" in cargo("test", "--doc", cwd=tmp_path / "kws")


def test_a_module_has_the_events_of_each_run_and_step(tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    export_library("wasm", listener(False), tmp_path)
    said = node(
        f"""
        import {{ eventNames, load }} from "./kws.mjs";
        const inputs = {GIVEN}.map((value) => Float32Array.of(0, value));
        const short = (events) => events.map((e) => [e.classNumber, e.inference, e.sample]);
        const said = [];
        for (const simd of [false, true]) {{
          const model = await load({{ simd }});
          said.push(inputs.map((input) => {{ model.run(input); return short(model.events); }}));
          model.reset();
          if (model.events.length) {{ throw new Error("events of before the reset"); }}
          said.push(inputs.map((input) => {{
            model.write(input);
            while (!model.step(1)) {{
              if (model.events.length) {{ throw new Error("an event before the end"); }}
            }}
            return short(model.events);
          }}));
        }}
        console.log(JSON.stringify({{ said, eventNames }}));
        """,
        tmp_path,
    )
    facts = json.loads(said)
    assert facts["said"] == [heard()] * 4
    assert len(facts["eventNames"]) == 1


PRESS = """
const until = async (test) => { while (!test()) { await new Promise((go) => setTimeout(go, 20)); } };
await until(() => document.body.dataset.ready);
for (let i = 0; i < %d; i++) { document.getElementById("pattern").click(); }
"""


@pytest.mark.parametrize("presses", [0, 3])
def test_the_page_hears_its_inputs_as_a_stream(presses: int, tmp_path: Path) -> None:
    """The pattern that it begins with is the first; what it runs for the time is not in the stream."""
    pytest.importorskip("ziglang")
    export_library("wasm", listener(False), tmp_path / "wasm")
    dom = chromium(page_with(tmp_path / "wasm", tmp_path, after=PRESS % presses))
    model = HostModel(compile_model(listener(False).data))
    values = np.array([[[(((i * 31 + 7) & 0xFF) - 128) / 128 for i in range(2)]]], np.float32)
    expected = [event.inference for event in model.events([np.repeat(values, presses + 1, axis=0)])[1]]
    card = re.search(r'<section id="events-card"(.*?)</section>', dom, re.DOTALL)
    assert card is not None
    assert "hidden" not in card[1].split(">")[0]
    assert [int(found) for found in re.findall(r"in inference (\d+)<", card[1])] == expected[::-1]
