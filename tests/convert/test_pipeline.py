# SPDX-License-Identifier: Apache-2.0
"""Conversions from end to end, with the real frameworks."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.support.flatbuffer_builder import ModelBuilder
from tests.support.models import INT8_CRC, model_bytes
from tinyserve import bundle
from tinyserve.bundle import Bundle
from tinyserve.cli.main import main
from tinyserve.convert import Options, convert, pipeline
from tinyserve.convert.worker import child as child_module
from tinyserve.errors import DataError, FileSystemError, ModelError, ToolError, UnsupportedError, UsageError


@pytest.fixture
def images(tmp_path: Path) -> Path:
    path = tmp_path / "images.npz"
    values = np.random.default_rng(0).uniform(0, 1, (60, 8, 8, 1)).astype(np.float32)
    np.savez(path, x=values, y=np.arange(60) % 3)
    return path


def quantized_model() -> bytes:
    """y = relu(x), int8."""
    model = ModelBuilder()
    graph = model.graph()
    x = graph.input((1, 6), "int8", scale=0.5, zero_point=-3)
    y = graph.tensor((1, 6), "int8", scale=0.5, zero_point=-128)
    graph.op("RELU", [x], [y])
    graph.output(y)
    return model.build()


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    path = tmp_path / "relu.tflite"
    path.write_bytes(quantized_model())
    return path


@pytest.fixture
def no_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of this test find a TensorFlow that can't be imported."""
    package = tmp_path / "blocked" / "tensorflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError(\"No module named 'tensorflow'\")")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


def check_sound(made: Bundle) -> None:
    """What must hold of every bundle: it reads back, and its expected outputs are those of its model."""
    read = bundle.load(made.path)
    assert read.manifest == made.manifest
    held = read.samples()
    assert len(held) == read.manifest.samples > 0
    for info, array in zip(read.manifest.inputs, held.inputs, strict=True):
        assert info.shape[0] == 1
        assert array.shape == (len(held), *info.shape[1:])
        assert array.dtype == np.dtype(info.dtype)
    assert read.manifest.expected_from.startswith("tflite-micro")


@pytest.mark.usefixtures("cold_workers")
def test_a_keras_model_becomes_a_checked_int8_bundle(models: Path, images: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    made = convert(
        models / "cnn.keras",
        representative=images,
        output=tmp_path / "b",
        progress=lambda stage, done=0, total=0: stages.append(stage),
    )
    check_sound(made)
    manifest = made.manifest
    assert (manifest.name, manifest.quantize, manifest.source.framework) == ("cnn", "int8", "keras")
    assert manifest.inputs[0].name == "image"
    assert manifest.inputs[0].dtype == manifest.outputs[0].dtype == "int8"
    assert manifest.macs > 1000
    assert manifest.arena_bytes > 64
    accuracy = manifest.accuracy[0]
    assert accuracy.sqnr_db is not None and accuracy.sqnr_db > 25
    assert accuracy.top1_agreement is not None and accuracy.top1_agreement >= 0.9
    assert manifest.representative[0].samples == 60
    assert manifest.representative[0].maximum <= 1.0
    labels = made.samples().labels
    assert labels is not None and len(labels) == manifest.samples == 12
    assert {"load the model", "quantize", "run the original", "run TFLM"} <= set(stages)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["cnn.h5", "cnn_saved"])
@pytest.mark.usefixtures("cold_workers")
def test_other_keepings_of_the_same_model_give_the_same_answers(
    models: Path, images: Path, tmp_path: Path, source: str
) -> None:
    first = convert(models / "cnn.keras", representative=images, output=tmp_path / "a")
    other = convert(models / source, representative=images, output=tmp_path / "b")
    check_sound(other)
    np.testing.assert_array_equal(first.samples().expected[0], other.samples().expected[0])


@pytest.mark.slow
def test_float32_stays_float_and_close_to_keras(models: Path, images: Path, tmp_path: Path) -> None:
    made = convert(models / "cnn.keras", representative=images, output=tmp_path / "b", quantize="float32")
    check_sound(made)
    assert made.manifest.inputs[0].dtype == "float32"
    assert made.manifest.accuracy[0].max_error < 1e-5


def test_inputs_keep_their_names_and_are_not_swapped(models: Path, tmp_path: Path) -> None:
    first, second = np.full((20, 4), 1.0, np.float32), np.full((20, 4), -1.0, np.float32)
    first[::2], second[::2] = 0.5, 0.25
    np.savez(tmp_path / "d.npz", first=first, second=second)
    made = convert(models / "two_inputs.keras", representative=tmp_path / "d.npz", output=tmp_path / "b")
    check_sound(made)
    outputs = bundle.dequantize(made.samples().expected[0], made.manifest.outputs[0])
    floats = made.samples().float_inputs
    assert floats is not None
    by_name = dict(zip([info.name for info in made.manifest.inputs], floats, strict=True))
    np.testing.assert_allclose(outputs[:, :4], by_name["first"], atol=0.02)
    np.testing.assert_allclose(outputs[:, 4:], np.maximum(by_name["second"], 0), atol=0.02)


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_outputs_keep_the_sources_order_and_names(models: Path, tmp_path: Path, scheme: str) -> None:
    x = np.random.default_rng(0).uniform(-2, 2, (40, 4)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x)
    made = convert(
        models / "heads.keras", representative=tmp_path / "d.npz", quantize=scheme, output=tmp_path / "b"
    )
    assert [info.name for info in made.manifest.outputs] == ["zebra", "apple", "x"]
    held = made.samples()
    assert held.float_inputs is not None
    wanted = held.float_inputs[0]
    got = [bundle.dequantize(a, info) for a, info in zip(held.expected, made.manifest.outputs, strict=True)]
    for output, expected in zip(got, (np.maximum(-wanted, 0), wanted + 1, wanted), strict=True):
        np.testing.assert_allclose(output, expected, atol=0.05)


@pytest.mark.parametrize("source", ["stateful.keras", "streaming"])
@pytest.mark.parametrize("scheme", ["float32", "int8", "int16x8"])
def test_state_goes_on_from_one_inference_to_the_next(
    models: Path, tmp_path: Path, source: str, scheme: str
) -> None:
    shape = (50, 3, 4) if source == "stateful.keras" else (50, 4)
    np.save(tmp_path / "d.npy", np.random.default_rng(0).normal(0, 1, shape).astype(np.float32))
    made = convert(models / source, representative=tmp_path / "d.npy", quantize=scheme, output=tmp_path / "b")
    assert made.manifest.ops["ASSIGN_VARIABLE"] == 1
    assert made.manifest.expected_from.startswith("tflite-micro")
    accuracy = made.manifest.accuracy[0]
    assert accuracy.sqnr_db is None or accuracy.sqnr_db > {"float32": 100, "int8": 25, "int16x8": 30}[scheme]


@pytest.mark.slow
def test_a_signature_is_picked_by_name_and_listed_when_it_must_be(models: Path, tmp_path: Path) -> None:
    source = models / "two_signatures"
    np.save(tmp_path / "d.npy", np.random.default_rng(0).uniform(-1, 1, (30, 4)).astype(np.float32))
    with pytest.raises(UsageError, match="double, triple"):
        convert(source, representative=tmp_path / "d.npy", output=tmp_path / "b")
    assert not (tmp_path / "b").exists()
    options = Options(signature="triple")
    made = convert(source, representative=tmp_path / "d.npy", output=tmp_path / "b", options=options)
    held = made.samples()
    assert held.float_inputs is not None
    outputs = bundle.dequantize(held.expected[0], made.manifest.outputs[0])
    np.testing.assert_allclose(outputs, held.float_inputs[0] * 3, atol=0.05)


def test_open_dimensions_ask_for_a_shape_and_take_it(models: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="open dimensions") as caught:
        convert(models / "open_shape.keras", representative="random", output=tmp_path / "b")
    assert "--input-shape NxNx1" in caught.value.hint
    options = Options(input_shapes=[(6, 7, 1)])
    made = convert(
        models / "open_shape.keras", representative="random", output=tmp_path / "b", options=options
    )
    assert made.manifest.inputs[0].shape == [1, 6, 7, 1]
    assert any("random" in note for note in made.manifest.notes)


@pytest.mark.slow
def test_custom_layers_are_loaded_when_they_are_named(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="Twice") as caught:
        convert(models / "custom.keras", representative="random", output=tmp_path / "b")
    assert "--custom" in caught.value.hint
    (tmp_path / "mylayers.py").write_text(
        "import keras\n@keras.saving.register_keras_serializable('test')\n"
        "class Twice(keras.layers.Layer):\n    def call(self, x): return x + x\n"
    )
    monkeypatch.chdir(tmp_path)
    options = Options(custom=["mylayers:Twice"])
    check_sound(
        convert(models / "custom.keras", representative="random", output=tmp_path / "b", options=options)
    )
    with pytest.raises(UsageError, match="mylayers:Thrice"):
        convert(
            models / "custom.keras", representative="random", output=tmp_path / "c",
            options=Options(custom=["mylayers:Thrice"]),
        )  # fmt: skip


@pytest.mark.slow
def test_code_in_a_model_file_is_not_run(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Lambda"):
        convert(models / "lambda.keras", representative="random", output=tmp_path / "b")


@pytest.mark.slow
def test_weights_that_are_not_finite_are_named(models: Path, images: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="NaN or infinite"):
        convert(models / "nan.keras", representative=images, output=tmp_path / "b")


def test_a_float_tflite_is_quantized_without_its_source(models: Path, images: Path, tmp_path: Path) -> None:
    made = convert(models / "float.tflite", representative=images, output=tmp_path / "b")
    check_sound(made)
    assert made.manifest.inputs[0].dtype == "int8"
    sqnr = made.manifest.accuracy[0].sqnr_db
    assert sqnr is not None and sqnr > 25


def test_dynamic_range_models_are_quantized_anew(models: Path, tmp_path: Path) -> None:
    made = convert(models / "dynamic.tflite", representative="random", output=tmp_path / "b")
    check_sound(made)
    assert made.manifest.quantize == "int8"
    assert any("dynamic-range" in note for note in made.manifest.notes)


def test_int8_without_data_is_refused(models: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none was given"):
        convert(models / "float.tflite", output=tmp_path / "b")


def test_what_no_data_helps_against_is_said_before_data_is_asked_for(tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 4), "float32"), graph.tensor((1, 4), "float32")
    graph.op("ATAN2", [x, x], [y])
    graph.output(y)
    (tmp_path / "m.tflite").write_bytes(model.build())
    with pytest.raises(UnsupportedError, match="ATAN2"):
        convert(tmp_path / "m.tflite", output=tmp_path / "b")


@pytest.mark.usefixtures("no_tensorflow")
def test_a_quantized_tflite_needs_no_tensorflow(relu: Path, tmp_path: Path) -> None:
    made = convert(relu, output=tmp_path / "b", name="other")
    check_sound(made)
    assert made.model_bytes() == relu.read_bytes()
    assert made.manifest.name == "other"
    assert any("synthetic" in note for note in made.manifest.notes)
    pattern = ((np.arange(6) * 31 + 7) & 0xFF).astype(np.uint8).view(np.int8)
    np.testing.assert_array_equal(made.samples().inputs[0][0], pattern)
    np.testing.assert_array_equal(made.samples().expected[0][0], np.maximum(pattern, -3).astype(int) - 125)


@pytest.mark.usefixtures("no_tensorflow")
def test_a_model_of_plain_integers_needs_no_data(tmp_path: Path) -> None:
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 4), "int32"), graph.tensor((1, 4), "int32")
    graph.op("ADD", [x, x], [y])
    graph.output(y)
    (path := tmp_path / "sum.tflite").write_bytes(model.build())
    assert convert(path, output=tmp_path / "b", quantize="int8").model_bytes() == model.build()


@pytest.mark.usefixtures("no_tensorflow")
def test_a_missing_tensorflow_is_named_with_the_command_that_installs_it(
    models: Path, tmp_path: Path
) -> None:
    with pytest.raises(ToolError, match="TensorFlow is needed") as caught:
        convert(models / "cnn.keras", representative="random", output=tmp_path / "b")
    assert caught.value.hint.startswith("pip install 'tinyserve[convert]'")


def test_without_tflm_the_compiled_model_gives_the_expected_outputs(
    relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = convert(relu, output=tmp_path / "a")
    package = tmp_path / "blocked" / "tflite_micro"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('blocked')")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    made = convert(relu, output=tmp_path / "b")
    assert made.manifest.expected_from == "host"
    np.testing.assert_array_equal(made.samples().expected[0], reference.samples().expected[0])


def test_a_quantized_model_is_not_made_float(relu: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="quantized already"):
        convert(relu, output=tmp_path / "b", quantize="float32")


@pytest.mark.parametrize("scheme", ["dynamic", "int3"])
def test_unknown_schemes(relu: Path, tmp_path: Path, scheme: str) -> None:
    with pytest.raises(UsageError):
        convert(relu, output=tmp_path / "b", quantize=scheme)


def test_data_of_another_shape_leaves_the_older_bundle(relu: Path, tmp_path: Path) -> None:
    convert(relu, output=tmp_path / "b", name="old")
    np.save(tmp_path / "d.npy", np.zeros((5, 7), np.float32))
    with pytest.raises(DataError, match=r"\(5, 7\)"):
        convert(relu, representative=tmp_path / "d.npy", output=tmp_path / "b", name="new")
    assert bundle.load(tmp_path / "b").manifest.name == "old"


def test_an_output_in_the_way_is_said_before_any_work(
    relu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b").write_text("mine")
    monkeypatch.setattr(child_module.Worker, "ask", lambda *_: pytest.fail("worked before it looked"))
    with pytest.raises(FileSystemError, match="in the way"):
        convert(relu, output=tmp_path / "b")


def test_a_conversion_can_be_repeated_byte_by_byte(relu: Path, tmp_path: Path) -> None:
    for name in "ab":
        convert(relu, output=tmp_path / name)
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


@pytest.mark.slow
def test_half_a_keras_file_says_so(models: Path, tmp_path: Path) -> None:
    for name in ("cnn.keras", "cnn.h5"):
        whole = (models / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ModelError, match=name):
            convert(tmp_path / name, representative="random", output=tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_a_saved_model_without_its_weights_says_so(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "cnn_saved", tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "variables")
    with pytest.raises(ModelError, match="cut"):
        convert(tmp_path / "cut", representative="random", output=tmp_path / "b")


@pytest.mark.models
@pytest.mark.parametrize("name", INT8_CRC)
def test_mlperf_models_pass_through(name: str, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(model_bytes(name))
    made = convert(tmp_path / "m.tflite", output=tmp_path / "b")
    check_sound(made)
    assert made.manifest.mlperf_id in {"ad01", "kws01", "ic01", "vww01"}
    assert msgspec.json.decode((made.path / bundle.MANIFEST_FILE).read_bytes())["macs"] > 200_000


@pytest.mark.parametrize("clip", ["banana", "101", "50", "nan"])
def test_a_clip_that_is_no_percentile_is_said_before_any_work(relu: Path, tmp_path: Path, clip: str) -> None:
    with pytest.raises(UsageError, match=f"--clip {clip}"):
        convert(relu, output=tmp_path / "b", options=Options(clip=clip))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("--custom", Options(custom=["m:Layer"])),
        ("--input-shape", Options(input_shapes=[(1, 6)])),
        ("--keep-layout", Options(keep_layout=True)),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(
    relu: Path, tmp_path: Path, name: str, options: Options
) -> None:
    with pytest.raises(UsageError, match=f"{name} means nothing"):
        convert(relu, output=tmp_path / "b", options=options)


def test_a_signature_that_a_tflite_lacks_is_refused(relu: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no signature 'serve'"):
        convert(relu, output=tmp_path / "b", options=Options(signature="serve"))


@pytest.mark.slow
def test_inspect_takes_what_loading_takes(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["inspect", str(models / "open_shape.keras"), "--fits", "--board", "cortex-m4"]
    assert main(command) == 2
    assert "--input-shape NxNx1" in capsys.readouterr().err
    assert main([*command, "--input-shape", "9x9x1"]) == 0
    assert "float32" in capsys.readouterr().out


def test_an_input_whose_data_reaches_far_beyond_its_integers_is_noted() -> None:
    taken = bundle.TensorInfo("x", [1, 4], "int8", 2 / 255, -128)
    inside = bundle.InputStatistics("x", 100, -0.1, 2.1, 1.0, {})
    beyond = bundle.InputStatistics("x", 100, -3.4, 3.75, 0.0, {})
    assert not pipeline._clipped([taken], [inside])
    (note,) = pipeline._clipped([taken], [beyond])
    assert "holds 0 to 2" in note and "-3.4 to 3.75" in note
