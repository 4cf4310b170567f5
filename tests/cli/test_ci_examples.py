# SPDX-License-Identifier: Apache-2.0
"""The CI files of examples/ci: valid for the services that read them, and their commands run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tests.support.places import CHECKOUT

EXAMPLES = CHECKOUT / "examples" / "ci"


@pytest.mark.parametrize(
    ("name", "schema"),
    [("github-actions.yml", "vendor.github-workflows"), ("gitlab-ci.yml", "vendor.gitlab-ci")],
)
def test_the_files_are_what_their_services_take(name: str, schema: str) -> None:
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# The actions of GitHub's own organisation may be named by their versions.
ZIZMOR = """
rules:
  unpinned-uses:
    config:
      policies:
        "actions/*": ref-pin
"""


def test_the_github_workflow_passes_its_linters(tmp_path: Path) -> None:
    zizmor = shutil.which("zizmor", path=str(Path(sys.executable).parent))  # a program, installed by pip
    if zizmor is None:
        pytest.skip("needs zizmor")
    workflow = EXAMPLES / "github-actions.yml"
    (tmp_path / "zizmor.yml").write_text(ZIZMOR)
    command = [zizmor, "--offline", "--config", str(tmp_path / "zizmor.yml"), str(workflow)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    actionlint = shutil.which("actionlint")
    if actionlint is not None:  # a Go program: not from PyPI
        done = subprocess.run(
            [actionlint, str(workflow)], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's repository: a model and the budget beside the CI file."""
    (tmp_path / "models").mkdir()
    (tmp_path / "ci").mkdir()
    write_classifier(tmp_path / "models" / "shapes.tflite")
    shutil.copy(EXAMPLES / "budget.toml", tmp_path / "ci")
    return tmp_path


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }  # fmt: skip
    command = ["bash", "-e", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=200
    )


def test_the_github_bench_step_runs_first_without_and_then_with_a_baseline(project: Path) -> None:
    text = (EXAMPLES / "github-actions.yml").read_text(encoding="utf-8")
    step = re.search(r"- name: Bench\n +run: \|\n(.*?)\n\n", text, re.DOTALL)
    assert step
    first = run(step[1], project)
    assert first.returncode == 0, first.stderr
    shutil.copy(project / "bench.json", project / "baseline.json")
    second = run(step[1], project)
    assert second.returncode == 0, second.stderr
    assert "Against the baseline" in (project / "summary.md").read_text(encoding="utf-8")
    assert {path.name for path in project.glob("bench.*")} == {"bench.json", "bench.html", "bench.xml"}


def test_the_gitlab_bench_script_runs(project: Path) -> None:
    text = (EXAMPLES / "gitlab-ci.yml").read_text(encoding="utf-8")
    script = re.search(r"- >\n(.*?)\n    - if", text, re.DOTALL)
    assert script
    done = run(" ".join(script[1].split()), project)
    assert done.returncode == 0, done.stderr
    assert (project / "bench.md").is_file()
