# SPDX-License-Identifier: Apache-2.0
"""Libraries of models that are fed by rows: their samples feed them, in every kind that takes them so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.firmware.export.test_libraries import (
    EXAMPLES,
    STRICT,
    STUBS,
    cargo,
    expected,
    make,
    need,
    network,
    ran,
    run,
    said_by_rust,
    with_crates,
)
from tinyserve.cli.model.export import command
from tinyserve.errors import UsageError


@pytest.mark.parametrize("instance", ["static", "caller"])
@pytest.mark.parametrize("kind", EXAMPLES)
def test_samples_feed_rows(kind: str, instance: str, tmp_path: Path) -> None:
    need("gcc")
    place = make(kind, tmp_path, instance=instance, feed="rows")
    sample = place / EXAMPLES[kind]
    includes = [f"-I{STUBS}", f"-I{next(place.rglob('kws.h')).parent}", f"-I{place / 'Core/Inc'}"]
    run("gcc", "-std=gnu11", *STRICT, *includes, "-fsyntax-only", sample, cwd=tmp_path)
    assert "ts_kws_feed(" in sample.read_text() and "ts_kws_input(" not in sample.read_text()


@pytest.mark.parametrize("instance", ["static", "caller"])
def test_a_sketch_feeds_a_sensor_row_by_row(instance: str, tmp_path: Path) -> None:
    place = make("arduino-library", tmp_path, "kws", network(1), instance=instance, feed="rows")
    said = ran(place / "examples/classify/classify.ino", place / "src", tmp_path, loops=2)
    assert said.keys() == {"class", "score", "microseconds after the last row"}
    lowest, highest = -128 * 0.05, 127 * 0.05
    quantized = round((lowest + (highest - lowest) * 512 / 1023) / 0.05)
    scores = [round((value - 3) * 0.1, 3) for value in expected(network(1), quantized)]
    assert float(said["score"]) == pytest.approx(max(scores))
    assert "ts_kws_feed\tKEYWORD2" in (place / "keywords.txt").read_text()


@pytest.mark.slow
@with_crates
def test_a_crate_takes_rows_of_integers_of_real_values_and_in_place(tmp_path: Path) -> None:
    make("rust", tmp_path, "kws", network(1), feed="rows")
    main = (
        "fn main() {\n"
        "    let mut arena = kws::Arena::new();\n"
        "    let mut kws = kws::Model::new(&mut arena);\n"
        "    assert_eq!(kws.invoke(), Err(kws::Error(-1)));\n"
        "    assert_eq!(kws.step(1), Err(kws::Error(-1)));\n"
        "    kws.feed(&[[7; kws::INPUT_0_ROW_ITEMS]; 2]).unwrap();\n"
        "    kws.drop_rows();\n"
        "    kws.feed(&[[7; kws::INPUT_0_ROW_ITEMS]; 2]).unwrap();\n"
        "    kws.feed_f32(&[[0.35; kws::INPUT_0_ROW_ITEMS]; kws::INPUT_0_ROWS - 3]).unwrap();\n"
        "    assert_eq!(kws.feed(&[[0; kws::INPUT_0_ROW_ITEMS]; 2]), Err(kws::Error(-2)));\n"
        "    kws.row().unwrap().fill(7);\n"
        "    kws.take_row().unwrap();\n"
        "    assert_eq!((kws.rows_left(), kws.row()), (0, None));\n"
        "    assert_eq!(kws.take_row(), Err(kws::Error(-2)));\n"
        "    while !kws.step(1).unwrap() {}\n"
        '    println!("{:?}", kws.output().to_vec());\n'
        "}\n"
    )
    assert json.loads(said_by_rust(main, ["kws"], tmp_path)) == expected(network(1), 7)
    assert "1 passed" in cargo("test", "--doc", cwd=tmp_path / "kws")


def test_a_page_takes_whole_inputs(tmp_path: Path) -> None:
    (tmp_path / "kws.tflite").write_bytes(network(1))
    arguments = [tmp_path / "kws.tflite", "--kind", "wasm", "--feed", "rows", "-o", tmp_path / "out"]
    done = CliRunner().invoke(command, [str(one) for one in arguments])
    assert isinstance(done.exception, UsageError) and "--feed rows" in done.exception.message
    assert not (tmp_path / "out").exists()
