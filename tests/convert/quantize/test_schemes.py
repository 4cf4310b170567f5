# SPDX-License-Identifier: Apache-2.0
"""Auto-quantization, remedies and the search for the layer that loses: all measured on a real model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.convert.test_pipeline import quantized_model
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve import bundle
from tinyserve.bundle import Bundle, Cost, Tried
from tinyserve.convert import Options, convert, sources
from tinyserve.convert.check import debug
from tinyserve.convert.check.quality import LayerQuality
from tinyserve.convert.quantize import auto
from tinyserve.convert.quantize.schemes import Judge, Outcome, Variant, VariantScore, ladder
from tinyserve.convert.session import Session, opened
from tinyserve.convert.tflite.facts import inspect
from tinyserve.datasets import readers
from tinyserve.errors import DataError, FitError, ToolError, UsageError


@pytest.fixture
def images(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).uniform(0, 1, (60, 8, 8, 1)).astype(np.float32)
    np.savez(tmp_path / "images.npz", x=values)
    return tmp_path / "images.npz"


@pytest.fixture
def made(models: Path, images: Path, tmp_path: Path) -> Bundle:
    return convert(models / "float.tflite", representative=images, output=tmp_path / "made")


@pytest.fixture
def session(models: Path) -> Iterator[Session]:
    with opened(sources.identify(models / "float.tflite"), Options(), lambda *_, **__: None) as found:
        yield found


def outcome(name: str, value: float, kind: str = "agreement", scheme: str = "int8") -> Outcome:
    model = inspect(quantized_model(), "test")
    tried = Tried(name=name, options="", measure=kind, score=value)
    return Outcome(Variant(name, "", scheme, Options()), tried, model)


LADDER = [
    Variant(name, "", scheme, Options())
    for name, scheme in (("a", "int8"), ("b", "int8"), ("c", "int8"), ("d", "int16x8"))
]


def choose(values: dict[str, float], wanted: float, original: VariantScore) -> tuple[str, list[str]]:
    """The name of what was taken, and of all that was made."""

    def make(variant: Variant, place: str) -> Outcome:
        return outcome(variant.name, values[variant.name], original.kind, variant.scheme)

    taken, made = auto.choose(LADDER, make, wanted, original)
    return taken.variant.name, [found.variant.name for found in made]


def test_auto_takes_the_first_that_holds_and_makes_no_other_of_its_scheme() -> None:
    values = {"a": 0.9, "b": 0.99, "c": 1.0, "d": 1.0}
    assert choose(values, 0.98, VariantScore("agreement", 1.0)) == ("b", ["a", "b", "d"])


def test_auto_measures_accuracy_against_the_originals_own() -> None:
    values = dict.fromkeys("abcd", 0.79)
    assert choose(values, 0.98, VariantScore("accuracy", 0.80))[0] == "a"
    with pytest.raises(DataError, match=r"no variant reaches 0\.98 of the original \(accuracy 0\.9000\)"):
        choose(values, 0.98, VariantScore("accuracy", 0.90))


def test_auto_says_why_a_variant_could_not_be_made() -> None:
    def fail(variant: Variant, place: str) -> Outcome:
        return Outcome(variant, Tried(name=variant.name, options="", failed="no kernel"))

    with pytest.raises(DataError, match="d: no kernel"):
        auto.choose(LADDER, fail, 0.5, VariantScore("agreement", 1.0))


def test_auto_converts_and_records_what_it_tried(models: Path, images: Path, tmp_path: Path) -> None:
    options = Options(min_accuracy=0.5)
    made = convert(
        models / "float.tflite",
        representative=images,
        output=tmp_path / "b",
        quantize="auto",
        options=options,
    )
    assert made.manifest.quantize == "int8"
    assert any(note.startswith("auto: took int8") for note in made.manifest.notes)
    variants = bundle.load(made.path).manifest.variants
    assert [(found.name, found.taken) for found in variants] == [
        ("int8", True),
        ("int16x8", False),
        ("float32", False),
    ]
    assert all(found.measure == "agreement" and found.arena_bytes > 0 for found in variants)


def test_the_ladder_begins_with_the_cheapest() -> None:
    assert [variant.scheme for variant in ladder(Options())] == ["int8", "int8", "int8", "int16x8", "float32"]


def test_a_diagnosis_has_every_layer_and_measured_remedies(made: Bundle, images: Path) -> None:
    found = debug.diagnose(made, images, samples=8)
    operators = [layer.op for layer in found.layers]
    assert (operators[:2], operators[-1]) == (["input", "CONV_2D"], "SOFTMAX")
    for layer in found.layers:
        assert layer.sqnr_db is not None and layer.sqnr_db > 15
        assert layer.cosine is not None and 0.9 < layer.cosine <= 1.0 + 1e-9
        assert 0 <= layer.saturated <= 1
    names = [outcome.variant.name for outcome in found.outcomes]
    assert names[0] == "int8"
    assert {"int8, least-error ranges", "int16x8", "float32"} <= set(names)
    by_name = {outcome.variant.name: outcome.tried for outcome in found.outcomes}
    base, exact = by_name["int8"].sqnr_db, by_name["float32"].sqnr_db
    assert base is not None and exact is not None and exact > base + 20
    assert by_name["float32"].constant_bytes > by_name["int8"].constant_bytes


def test_costs_on_a_board_are_told_where_somebody_measures(session: Session, images: Path) -> None:
    cost = Cost(board="a-board", flash_bytes=5000, arena_bytes=700, instructions=1234)
    measured: list[bytes] = []

    def measure(model: bytes) -> Cost:
        measured.append(model)
        return cost

    found = judge(session, images, measure).outcome(ladder(Options())[-1])
    assert found.tried.cost == cost
    assert measured == [session.original.data]
    assert "5,000 B of flash, arena 700 B, 1,234 instructions on a-board" in auto.describe(found.tried)


def test_a_variant_that_does_not_fit_the_board_is_no_candidate(session: Session, images: Path) -> None:
    def measure(model: bytes) -> Cost:
        raise FitError("needs 9 MB of flash", "take a larger board")

    found = judge(session, images, measure).outcome(ladder(Options())[-1])
    assert (found.tried.score, found.tried.failed) == (None, "needs 9 MB of flash")


def test_without_a_toolchain_variants_are_judged_by_their_weights(session: Session, images: Path) -> None:
    def measure(model: bytes) -> Cost:
        raise ToolError("no compiler", "install one")

    found = judge(session, images, measure).outcome(ladder(Options())[-1])
    assert found.tried.score is not None
    assert found.tried.cost is None
    assert any("no compiler" in note for note in found.notes)


def judge(session: Session, images: Path, measure: Callable[[bytes], Cost]) -> Judge:
    session.options = Options(measure=measure)
    dataset = readers.load(images, session.original.inputs)
    return Judge(session, *readers.split(dataset, 4))


def with_an_outlier(path: Path) -> Path:
    """Three dense layers; some weights of the second are 600 times the others, on an input that is 0."""
    generator = np.random.default_rng(5)
    model = ModelBuilder()
    graph = model.graph()
    tensor = graph.input((1, 16), "float32")
    for index in range(3):
        weights = generator.normal(0, 0.3, (16, 16)).astype(np.float32)
        if index == 0:
            weights[3] = 0.0
        if index == 1:
            weights[:, 3] = 200.0
        written = graph.tensor((1, 16), "float32", name=f"net/dense_{index}/MatMul")
        graph.op("FULLY_CONNECTED", [tensor, graph.constant(weights), None], [written])
        tensor = written
    graph.output(tensor)
    path.write_bytes(model.build())
    return path


def test_an_outlier_weight_is_found_and_its_remedy_is_what_a_conversion_gives(tmp_path: Path) -> None:
    source = with_an_outlier(tmp_path / "m.tflite")
    samples = tmp_path / "d.npy"
    np.save(samples, np.random.default_rng(6).normal(size=(60, 16)).astype(np.float32))
    made = convert(source, representative=samples, output=tmp_path / "b")
    found = debug.diagnose(made, samples)
    assert [layer.tensor for layer in found.suspects] == ["net/dense_1/MatMul"]
    assert debug.cause(found.suspects[0]).startswith("outliers among its weights")
    remedy = next(outcome for outcome in found.outcomes if "dense_1 in float" in outcome.variant.name)
    assert remedy.variant.advice == "--per-layer keep=dense_1:float32"
    plain = found.outcomes[0].tried.sqnr_db
    assert plain is not None and remedy.tried.sqnr_db is not None and remedy.tried.sqnr_db > plain + 15
    again = convert(
        source, representative=samples, output=tmp_path / "c", options=Options(keep_float=["dense_1"])
    )
    # A conversion compares on the calibration samples, too.
    assert again.manifest.accuracy[0].sqnr_db == pytest.approx(remedy.tried.sqnr_db, abs=1.0)


def test_without_data_a_diagnosis_still_has_the_layers(made: Bundle) -> None:
    found = debug.diagnose(made, samples=4)
    assert found.layers
    assert found.outcomes == []


def test_a_model_that_came_quantized_has_no_original_to_compare_with(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(quantized_model())
    made = convert(tmp_path / "m.tflite", output=tmp_path / "b")
    assert made.original_path() is None
    with pytest.raises(UsageError, match="no float original"):
        debug.diagnose(made)


def layer(name: str, loss_db: float | None, sqnr_db: float = 20.0) -> LayerQuality:
    return LayerQuality(0, "CONV_2D", name, sqnr_db, 1.0, 0.0, 0.0, loss_db)


def test_suspects_are_the_layers_that_lose_most_themselves() -> None:
    layers = [
        layer("a", 1.0),
        layer("b", 9.0),
        layer("c", None),
        layer("d", 4.0),
        layer("e", 5.0),
        layer("f", 3.5),
        layer("g", 15.0, sqnr_db=40.0),
    ]
    assert [found.tensor for found in debug.suspected(layers)] == ["b", "e", "d"]


def test_an_outlier_among_the_samples_is_found_at_the_input(tmp_path: Path) -> None:
    source = with_an_outlier(tmp_path / "m.tflite")
    values = np.random.default_rng(6).normal(size=(60, 16)).astype(np.float32)
    values[1, 2] = 5000.0
    np.save(tmp_path / "d.npy", values)
    np.save(tmp_path / "held.npy", values[10:30])
    made = convert(
        source, representative=tmp_path / "d.npy", samples=tmp_path / "held.npy", output=tmp_path / "b"
    )
    found = debug.diagnose(made)
    assert found.suspects[0].op == "input"
    assert "share" in debug.cause(found.suspects[0])


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"weights_lost": 0.9}, "90 % of them became 0"),
        ({"levels": 4.0}, "99 % of them share 4 levels"),
        ({"saturated": 0.2}, "20 % of its values lie beyond"),
        ({"levels": 200.0, "weights_lost": 0.01}, "many small errors"),
    ],
)
def test_the_cause_of_a_loss_is_told_by_its_figures(figures: dict[str, float], words: str) -> None:
    assert words in debug.cause(replace(layer("a", 9.0), **figures))  # type: ignore[arg-type]


@pytest.mark.slow
def test_every_way_to_quantize_gives_a_sound_model(session: Session, images: Path) -> None:
    calibration = readers.load(images, session.original.inputs)
    conv = session.original.model.main.nodes[0].outputs[0].name
    for options in (
        Options(clip="mse"),
        Options(clip="99"),
        Options(per_channel=False),
        Options(keep_float=[conv.split(";")[0]]),
    ):
        found = session.quantize(calibration, "int8", options)
        assert found.inputs[0].dtype == "int8"
        assert found.scheme == "int8"
        assert ("DEQUANTIZE" in found.ops) == bool(options.keep_float)
        scales = [t.quantization.scales for t in found.model.main.tensors if t.is_constant and t.quantization]
        assert (max(map(len, scales)) > 1) == options.per_channel
    wide = session.quantize(calibration, "int16x8", Options())
    assert (wide.scheme, wide.inputs[0].dtype) == ("int16x8", "int16")


def test_clipping_shrinks_ranges_and_only_shrinks_them(session: Session, images: Path) -> None:
    calibration = readers.load(images, session.original.inputs)
    calibration.inputs[0][3, 2, 2, 0] = 40.0  # an outlier
    whole = session.quantize(calibration, "int8", Options()).inputs[0].scale
    clipped = session.quantize(calibration, "int8", Options(clip="99")).inputs[0].scale
    assert whole == pytest.approx(40 / 255, rel=0.01)
    assert clipped == pytest.approx(whole), "inputs keep their range: the device gets whatever comes"


def test_a_layer_to_keep_that_is_not_there(session: Session, images: Path) -> None:
    calibration = readers.load(images, session.original.inputs)
    with pytest.raises(UsageError, match="no layer is called 'nothing'"):
        session.quantize(calibration, "int8", Options(keep_float=["nothing"]))
    with pytest.raises(UsageError, match="--clip is for int8"):
        session.quantize(calibration, "int16x8", Options(clip="mse"))


def test_a_layer_of_a_16_bit_model_stays_in_float(models: Path, images: Path, tmp_path: Path) -> None:
    options = Options(keep_float=["conv_2d"])
    made = convert(
        models / "float.tflite",
        representative=images,
        quantize="int16x8",
        output=tmp_path / "b",
        options=options,
    )
    assert made.manifest.quantize == "int16x8"
    assert made.manifest.inputs[0].dtype == made.manifest.outputs[0].dtype == "int16"
    assert "ai-edge-quantizer" in made.manifest.tools
    layers = {op.name: op.outputs[0].dtype.value for op in inspect(made.model_bytes(), "m").model.main.nodes}
    assert (layers["CONV_2D"], layers["FULLY_CONNECTED"]) == ("float32", "int16")
    sqnr = made.manifest.accuracy[0].sqnr_db
    assert sqnr is not None and sqnr > 25


def test_16_bits_and_float_need_no_names_in_the_model(tmp_path: Path) -> None:
    source = with_an_outlier(tmp_path / "m.tflite")
    options = Options(keep_float=["dense_1"])
    made = convert(
        source, representative="random", quantize="int16x8", output=tmp_path / "b", options=options
    )
    sqnr = made.manifest.accuracy[0].sqnr_db
    assert sqnr is not None and sqnr > 40


def test_a_missing_quantizer_is_named_with_its_extra(
    models: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "blocked" / "ai_edge_quantizer"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('blocked')")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    options = Options(keep_float=["conv_2d"])
    with pytest.raises(ToolError, match="ai-edge-quantizer is needed") as caught:
        convert(
            models / "float.tflite",
            representative=images,
            quantize="int16x8",
            output=tmp_path / "b",
            options=options,
        )
    assert caught.value.hint == "pip install 'tinyserve[quantizer]'"


def test_the_original_travels_in_the_bundle(made: Bundle) -> None:
    path = bundle.load(made.path).original_path()
    assert path is not None
    assert inspect(path.read_bytes(), "original").scheme == "float32"
