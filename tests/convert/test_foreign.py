# SPDX-License-Identifier: Apache-2.0
"""Keras 2 and PyTorch through their own environments, with real models made there.

Keras 2 is installed when it is not yet (a package index is needed); PyTorch, which is a gigabyte, is tested
where `tinyserve setup --frontend pytorch` has been run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tinyserve.bundle import Bundle
from tinyserve.convert import Options, convert
from tinyserve.convert.frameworks import provision
from tinyserve.errors import ModelError, ToolError, UsageError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TFLM = Options(engine="tflm")  # not about what the compiler has

PYTORCH = """
    import sys, torch
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
    model = torch.nn.Sequential(conv, torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(512, 5)).eval()
    torch.export.save(torch.export.export(model, (torch.zeros(1, 3, 16, 16),)), sys.argv[1])
"""


def front_end(name: str) -> Path:
    """The front end's directory; installed where it is not, skipped where that can't be."""
    if name == "pytorch" and provision.find(name) is None:
        pytest.skip("tinyserve setup --frontend pytorch has not been run")
    try:
        return provision.provision(name)
    except ToolError as error:
        pytest.skip(f"cannot be installed here: {error.message.splitlines()[-1]}")


def made_in(name: str, script: str, path: Path, *arguments: str) -> Path:
    """A model made by ``script`` in the front end's environment."""
    interpreter = str(provision.python(front_end(name)))
    command = [interpreter, "-c", textwrap.dedent(script), str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def channels_first(tmp_path: Path) -> Path:
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).normal(size=(50, 3, 16, 16)).astype(np.float32))
    return tmp_path / "d.npz"


def check_close(made: Bundle, framework: str) -> None:
    assert made.manifest.source.framework == framework
    assert made.manifest.inputs[0].dtype == "int8"
    assert made.manifest.outputs[0].dtype == "int8"
    sqnr = made.manifest.accuracy[0].sqnr_db
    assert sqnr is not None and sqnr > 25
    assert not any("float32" in note for note in made.manifest.notes)


def test_pytorch_answers_as_torch_does(tmp_path: Path, channels_first: Path) -> None:
    source = made_in("pytorch", PYTORCH, tmp_path / "m.pt2")
    made = convert(
        source, representative=channels_first, output=tmp_path / "b", options=Options(engine="tflm")
    )
    check_close(made, "pytorch")
    assert made.manifest.inputs[0].shape == [1, 16, 16, 3]
    assert made.manifest.input_layout == "NHWC (NCHW in the source)"
    with pytest.raises(UsageError, match="example inputs"):
        convert(source, output=tmp_path / "c", options=Options(input_shapes=[(2, 3, 16, 16)]))


def test_a_torch_pickle_is_refused(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02.")
    with pytest.raises(ModelError, match="state_dict") as caught:
        convert(tmp_path / "m.pt", output=tmp_path / "b")
    assert "torch.export.save" in caught.value.hint


@pytest.mark.models
def test_a_keras_2_file_that_keras_3_refuses(tmp_path: Path) -> None:
    directory = os.environ.get("TINYSERVE_MODELS")
    if not directory:
        pytest.skip("TINYSERVE_MODELS is not set")
    front_end("keras2")
    shutil.copy(Path(directory) / "vww_96.h5", tmp_path / "vww.h5")
    values = np.random.default_rng(0).uniform(0, 1, (20, 96, 96, 3)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=values)
    made = convert(tmp_path / "vww.h5", representative=tmp_path / "d.npz", output=tmp_path / "b")
    assert made.manifest.mlperf_id == "vww01"
    assert "tf-keras" in made.manifest.tools
    sqnr = made.manifest.accuracy[0].sqnr_db
    assert sqnr is not None and sqnr > 20
