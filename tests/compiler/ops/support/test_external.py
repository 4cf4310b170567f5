# SPDX-License-Identifier: Apache-2.0
"""Operators from outside: the example's is compiled, run on this computer and on an emulated board."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.places import CHECKOUT
from tinyserve import workflow
from tinyserve.cli.main import main
from tinyserve.compiler import ops
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.ops.support import external
from tinyserve.compiler.program import Target
from tinyserve.errors import ToolError, UnsupportedError, UsageError

EXAMPLE = CHECKOUT / "examples" / "custom_op"
OPS = EXAMPLE / "ops"


def compiled(model: Path, *directories: Path) -> Compiled:
    return compile_model(model.read_bytes(), Target(operators=external.checked(directories)))


@pytest.fixture
def shuffle(tmp_path: Path) -> Path:
    command = [sys.executable, str(EXAMPLE / "model.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    return tmp_path / "shuffle.tflite"


def test_the_examples_operator_computes_what_numpy_does(shuffle: Path) -> None:
    values = np.random.default_rng(1).integers(-128, 128, (1, 4, 4, 12)).astype(np.int8)
    (output,) = HostModel(compiled(shuffle, OPS)).run([values])
    expected = values.reshape(1, 4, 4, 3, 4).swapaxes(3, 4).reshape(values.shape)
    np.testing.assert_array_equal(output, expected)


def test_it_benches_on_an_emulated_board(
    shuffle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["bench", str(shuffle), "--ops", str(OPS), "--board", "cortex-m4", "--json", "bench.json"]
    assert main(command) == 0
    assert "equal byte for byte" in capsys.readouterr().out
    assert json.loads(Path("bench.json").read_text())["results"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["accuracy", "--dataset", "data.npz"], "compiled"),
        (["profile", "--board", "cortex-m4"], "ChannelShuffle"),
        (["export", "--as", "cmake", "-o", "project"], "project"),
    ],
)
def test_the_other_commands_take_it_too(
    command: list[str],
    said: str,
    shuffle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(shuffle.parent)
    np.savez("data.npz", x=np.zeros((3, 4, 4, 12), np.float32), y=np.zeros(3, np.int64))
    assert main([command[0], str(shuffle), "--ops", str(OPS), *command[1:]]) == 0
    assert said in capsys.readouterr().out


def test_the_variable_in_the_environment_is_the_option_s_default(
    shuffle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shuffle.parent)
    monkeypatch.setenv("TINYSERVE_OPS", str(OPS))
    assert main(["compile", str(shuffle), "-o", "c"]) == 0
    assert Path("c/kernels/channel_shuffle.h").is_file()


def test_without_the_directory_the_message_names_the_option(shuffle: Path) -> None:
    assert "ChannelShuffle" not in ops.registry()
    with pytest.raises(UnsupportedError, match="ChannelShuffle") as caught:
        compile_model(shuffle.read_bytes())
    assert "--ops DIR" in caught.value.hint


def test_results_are_cached_apart_for_other_operators(tmp_path: Path) -> None:
    without = workflow.package_digest()
    directory = Path(shutil.copytree(OPS, tmp_path / "ops"))
    first = workflow.package_digest([directory])
    (directory / "channel_shuffle.h").write_text("/* changed */\n")
    assert len({without, first, workflow.package_digest([directory])}) == 3


def test_what_is_no_operator_is_refused(tmp_path: Path) -> None:
    def refused(directory: Path, match: str) -> None:
        with pytest.raises(UsageError, match=match):
            external.checked([directory])

    refused(tmp_path / "nowhere", "no such directory")
    refused(OPS / "channel_shuffle.py", "a file, not a directory")
    (empty := tmp_path / "empty").mkdir()
    refused(empty, "no Python file")
    (broken := tmp_path / "broken").mkdir()
    (broken / "op.py").write_text("OPS = (1 / 0,)\n")
    refused(broken, "ZeroDivisionError")
    (wrong := tmp_path / "wrong").mkdir()
    (wrong / "op.py").write_text("OPS = ('text',)\n")
    refused(wrong, "no OpDef with a name")
    (taken := tmp_path / "taken").mkdir()
    (taken / "conv_2d.h").write_text("")
    refused(taken, "has this name")


def changed(tmp_path: Path, file: str, old: str, new: str) -> Path:
    """The example's operator with a mistake."""
    directory = Path(shutil.copytree(OPS, tmp_path / "changed", ignore=shutil.ignore_patterns("__pycache__")))
    text = (directory / file).read_text()
    assert old in text
    (directory / file).write_text(text.replace(old, new))
    return directory


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "checks.same_dtype(node",
            "checks.same_dtypes(node",
            r"shuffle.py:\d+: .*check failed: AttributeError",
        ),
        ("return read_attributes(options)", "return 1 / 0", r":\d+: .*attributes failed: ZeroDivisionError"),
        ("        add_call(", "        unknown\n        add_call(", r":\d+: .*lower failed: NameError"),
        ("def lower(", "def lowr(", "lower is missing"),
    ],
)
def test_a_mistake_in_its_python_is_told_with_file_and_line(
    shuffle: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    directory = changed(tmp_path, "channel_shuffle.py", old, new)
    with pytest.raises(UsageError, match=said):
        compiled(shuffle, directory)


@pytest.mark.parametrize(("name", "custom"), [("ChannelShuffle", False), ("GELU", True)])
def test_custom_says_whether_the_name_is_a_builtin_s(tmp_path: Path, name: str, custom: bool) -> None:
    lines = ["from tinyserve.compiler.ops.support.base import OpDef", "class Mine(OpDef):"]
    lines += [f"    name, custom = {name!r}, {custom}", "OPS = (Mine(),)", ""]
    (tmp_path / "op.py").write_text("\n".join(lines))
    with pytest.raises(UsageError, match="builtin") as caught:
        external.checked([tmp_path])
    assert caught.value.hint == f"set custom = {not custom} in its class"


def test_a_kernel_that_does_not_compile_is_shown_with_its_line(shuffle: Path, tmp_path: Path) -> None:
    directory = changed(tmp_path, "channel_shuffle.h", "static inline void", "static inline vod")
    with pytest.raises(ToolError, match=r"channel_shuffle\.h:\d+") as caught:
        HostModel(compiled(shuffle, directory))
    assert "your operator's header" in caught.value.hint


def test_a_kernel_that_writes_where_it_must_not_ends_no_process_but_its_own(
    shuffle: Path, tmp_path: Path
) -> None:
    directory = changed(tmp_path, "channel_shuffle.h", "*output++ =", "output[1000000000] =")
    host = HostModel(compiled(shuffle, directory))
    with pytest.raises(ToolError, match=r"channel_shuffle\.h:\d+"):
        host.run([np.zeros((1, 4, 4, 12), np.int8)])


def test_an_operator_that_tinyserve_has_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "op.py").write_text(
        "from tinyserve.compiler.ops.support.base import OpDef\n"
        "class Mine(OpDef):\n    name = 'ADD'\nOPS = (Mine(),)\n"
    )
    with pytest.raises(UsageError, match="ADD already"):
        ops.registry((tmp_path,))
