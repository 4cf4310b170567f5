# SPDX-License-Identifier: Apache-2.0
"""How fast the tool itself is: printed, not asserted (docs/performance.md says what to expect).

    TINYSERVE_MODELS=directory python benchmarks/tool_speed.py

Needs the MLPerf Tiny models for all but the first line. The best of three runs counts, since other work on
the machine only ever makes it slower.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPEATS = 3


def best_s(run: Callable[[], object]) -> float:
    """The shortest wall-clock time of the run, in seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def command(*arguments: str, cwd: str = ".", cache: str | None = None) -> None:
    environment = {**os.environ, **({"TINYSERVE_CACHE": cache} if cache else {})}
    subprocess.run(
        [sys.executable, "-m", "tinyserve", *arguments],
        cwd=cwd,
        env=environment,
        check=True,
        capture_output=True,
    )


def bench_with_a_cold_cache(bundle: Path) -> None:
    """Nothing of ours is cached; zig's own cache is warm."""
    with tempfile.TemporaryDirectory() as cache:
        command("bench", str(bundle), "--board", "cortex-m4", cache=cache)


def main() -> None:
    from tinyserve.compiler.compile import compile_model

    print(f"{'tinyserve --help':58} {best_s(lambda: command('--help')):6.2f} s   (bar: 0.3)")
    models = os.environ.get("TINYSERVE_MODELS")
    if not models:
        print("set TINYSERVE_MODELS for the rest")
        return
    vww = (Path(models) / "vww_96_int8.tflite").read_bytes()
    spent = best_s(lambda: compile_model(vww))
    print(f"{'vww: parse, passes, plan, emit':58} {spent:6.2f} s   (bar: 1)")
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "kws"
        command("convert", str(Path(models) / "kws_ref_model.tflite"), "-o", str(bundle))
        spent = best_s(lambda: command("bench", str(bundle), "--board", "cortex-m4"))
        print(f"{'kws: bundle to bench result on cortex-m4':58} {spent:6.2f} s   (bar: 6)")
        spent = best_s(lambda: bench_with_a_cold_cache(bundle))
        print(f"{'kws: the same, nothing of ours cached':58} {spent:6.2f} s   (bar: 6)")
        spent = best_s(lambda: command("build", str(bundle), "--board", "cortex-m4"))
        print(f"{'kws: compile and build':58} {spent:6.2f} s   (bar: 2)")


if __name__ == "__main__":
    main()
