"""Auto-quantization, remedies and the search for the layer that loses: all measured on a real model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.convert.test_pipeline import quantized_model
from tinyserve import bundle
from tinyserve.bundle import Bundle
from tinyserve.convert import Options, auto, convert, debug, sources
from tinyserve.convert.quality import LayerQuality
from tinyserve.convert.session import Session, opened
from tinyserve.convert.tflite import inspect
from tinyserve.convert.variants import Outcome, Score, Variant, ladder
from tinyserve.errors import DataError, UsageError


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


def outcome(name: str, value: float, kind: str = "agreement") -> Outcome:
    model = inspect(quantized_model(), "test")
    return Outcome(Variant(name, "", "int8", Options()), model, Score(kind, value))  # type: ignore[arg-type]


def test_auto_takes_the_first_that_holds_and_makes_no_more() -> None:
    made: list[str] = []

    def outcomes() -> Iterator[Outcome]:
        for name, value in (("a", 0.9), ("b", 0.99), ("c", 1.0)):
            made.append(name)
            yield outcome(name, value)

    _, lines = auto.choose(outcomes(), 0.98, Score("agreement", 1.0))
    assert made == ["a", "b"]
    assert lines[-1].startswith("auto: took b")


def test_auto_measures_accuracy_against_the_originals_own() -> None:
    tried = [outcome("a", 0.79, "accuracy")]
    auto.choose(tried, 0.98, Score("accuracy", 0.80))
    with pytest.raises(DataError, match=r"no variant reaches 0\.98"):
        auto.choose(tried, 0.98, Score("accuracy", 0.90))


def test_auto_says_why_a_variant_could_not_be_made() -> None:
    failed = Outcome(Variant("int16x8", "", "int16x8", Options()), None, failed="no kernel")
    with pytest.raises(DataError, match="int16x8: no kernel"):
        auto.choose([failed], 0.5, Score("agreement", 1.0))


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
    assert any(note.startswith("int8: agreement") for note in made.manifest.notes)
    assert any(note.startswith("auto: took int8") for note in made.manifest.notes)


def test_the_ladder_begins_with_the_cheapest() -> None:
    assert [variant.scheme for variant in ladder(Options())] == ["int8", "int8", "int8", "int16x8", "float32"]


def test_a_diagnosis_has_every_layer_and_measured_remedies(made: Bundle, images: Path) -> None:
    found = debug.diagnose(made, images, samples=8)
    operators = [layer.op for layer in found.layers]
    assert (operators[0], operators[-1]) == ("CONV_2D", "SOFTMAX")
    for layer in found.layers:
        assert layer.sqnr_db is not None and layer.sqnr_db > 15
        assert layer.cosine is not None and 0.9 < layer.cosine <= 1.0 + 1e-9
        assert 0 <= layer.saturated <= 1
    names = [outcome.variant.name for outcome in found.outcomes]
    assert names[0] == "int8"
    assert {"int8, least-error ranges", "int16x8", "float32"} <= set(names)
    by_name = {outcome.variant.name: outcome for outcome in found.outcomes}
    base, exact = by_name["int8"].sqnr_db, by_name["float32"].sqnr_db
    assert base is not None and exact is not None and exact > base + 20
    assert by_name["float32"].constant_bytes > by_name["int8"].constant_bytes


def test_instructions_are_counted_where_somebody_counts(made: Bundle, images: Path) -> None:
    counted: list[bytes] = []

    def count(model: bytes) -> int:
        counted.append(model)
        return 1234

    found = debug.diagnose(made, images, samples=2, options=Options(count=count))
    assert {outcome.instructions for outcome in found.outcomes if outcome.macs} == {1234}
    assert "1,234 instructions" in auto.describe(found.outcomes[0])
    assert len(counted) == len([outcome for outcome in found.outcomes if outcome.macs])


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


def layer(name: str, loss_db: float | None) -> LayerQuality:
    return LayerQuality(0, "CONV_2D", name, 30.0, 1.0, 0.0, 0.0, loss_db)


def test_suspects_are_the_layers_that_lose_most_themselves() -> None:
    layers = [
        layer("a", 1.0),
        layer("b", 9.0),
        layer("c", None),
        layer("d", 4.0),
        layer("e", 5.0),
        layer("f", 3.5),
    ]
    assert [found.tensor for found in debug.suspected(layers)] == ["b", "e", "d"]


@pytest.mark.slow
def test_every_way_to_quantize_gives_a_sound_model(session: Session, images: Path) -> None:
    from tinyserve.convert import data

    calibration = data.load(images, session.original.inputs)
    conv = session.original.model.main.operators[0].outputs[0].name
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
    from tinyserve.convert import data

    calibration = data.load(images, session.original.inputs)
    calibration.inputs[0][3, 2, 2, 0] = 40.0  # an outlier
    whole = session.quantize(calibration, "int8", Options()).inputs[0].scale
    clipped = session.quantize(calibration, "int8", Options(clip="99")).inputs[0].scale
    assert whole == pytest.approx(40 / 255, rel=0.01)
    assert clipped == pytest.approx(whole), "inputs keep their range: the device gets whatever comes"


def test_a_layer_to_keep_that_is_not_there(session: Session, images: Path) -> None:
    from tinyserve.convert import data

    calibration = data.load(images, session.original.inputs)
    with pytest.raises(UsageError, match="no layer is called 'nothing'"):
        session.quantize(calibration, "int8", Options(keep_float=["nothing"]))
    with pytest.raises(UsageError, match="keeps no layer"):
        session.quantize(calibration, "int16x8", Options(keep_float=["nothing"]))


def test_the_original_travels_in_the_bundle(made: Bundle) -> None:
    path = bundle.load(made.path).original_path()
    assert path is not None
    assert inspect(path.read_bytes(), "original").scheme == "float32"
