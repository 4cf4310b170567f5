# SPDX-License-Identifier: Apache-2.0
"""Where this Python has no TensorFlow, what needs it runs in an environment that has."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from tinyserve.convert import sources
from tinyserve.convert.frameworks import front_ends, provision
from tinyserve.convert.pipeline import convert
from tinyserve.errors import ToolError

_MARK = "import pathlib, sys; pathlib.Path(sys.prefix, 'used').touch()"


@pytest.fixture(autouse=True)
def no_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This environment is as if it had none; none was set up yet."""
    monkeypatch.setattr(front_ends, "_is_here", lambda name: False)
    monkeypatch.setenv("TINYSERVE_FRONTENDS", str(tmp_path / "frontends"))


@pytest.fixture
def apart() -> Path:
    """An environment as ``setup --frontend tensorflow`` makes it, but for borrowed packages."""
    place = provision.directory(provision.FRONTENDS["tensorflow"])
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True, timeout=120)
    packages = next(place.rglob("site-packages"))
    (packages / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{_MARK}\n")
    (place / provision._READY).touch()
    return place


@pytest.mark.slow
def test_a_keras_model_is_converted_and_quantized_there(apart: Path, models: Path, tmp_path: Path) -> None:
    samples = np.random.default_rng(1).normal(size=(40, 8, 8, 1)).astype(np.float32)
    np.save(tmp_path / "calib.npy", samples)
    bundle = convert(models / "cnn.keras", representative=tmp_path / "calib.npy", output=tmp_path / "b")
    assert bundle.manifest.quantize == "int8"
    assert bundle.manifest.source.framework == "keras"
    assert (apart / "used").exists(), "the worker ran in the other environment"


def test_a_keras_model_without_one_is_refused_with_the_command(tmp_path: Path) -> None:
    save_path = tmp_path / "saved"
    save_path.mkdir()
    (save_path / "saved_model.pb").write_bytes(b"\x08\x01")
    with pytest.raises(ToolError, match="'tensorflow'") as caught:
        front_ends.isolated(sources.identify(save_path))
    assert "tinyserve setup --frontend tensorflow" in caught.value.hint


def test_an_environment_whose_python_is_gone_is_not_there_any_more(apart: Path) -> None:
    assert provision.find("tensorflow") == apart
    provision.python(apart).unlink()
    assert provision.find("tensorflow") is None
    assert front_ends.isolated_quantizer() is None
