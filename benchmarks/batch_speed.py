# SPDX-License-Identifier: Apache-2.0
"""Inferences per second of a data set's run on one core: the compiled library beside TFLM's interpreter.

    TINYSERVE_MODELS=directory python benchmarks/batch_speed.py [MODEL ...]

Times are of the processor, not of the clock, and are taken in turn, so that other work on the machine
weighs on both alike; the median of the pairs' ratios counts. TFLM is the `tflite-micro` wheel. The last
column is what an accuracy run over float32 data takes: reading, quantizing, inference, counting.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

INT8 = ("ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8")
FLOAT32 = ("ad01_fp32", "pretrainedResnet", "vww_96_float")
PAIRS = 9
BATCH = 128
INTERPRETED = 8
ROWS_BYTES = 160 << 20


def cpu_s(run: Callable[[], object]) -> float:
    """Processor time of the run, in seconds."""
    start = time.process_time()
    run()
    return time.process_time() - start


def compare(data: bytes) -> tuple[float, float, float]:
    """Microseconds per inference: ours, TFLM's; and the median of the ratios."""
    from tflite_micro.python.tflite_micro import runtime

    from tinyserve.compiler.compile import compile_model
    from tinyserve.compiler.host.model import FAST, HostModel

    compiled = compile_model(data, FAST)
    model = HostModel(compiled)
    tensor = compiled.program.input_tensors[0]
    values = np.random.default_rng(0).uniform(-128, 128, (BATCH, *tensor.shape))
    samples = values.astype(tensor.dtype.numpy)
    interpreter = runtime.Interpreter.from_bytes(data)

    def interpret() -> list[np.ndarray]:
        outputs = []
        for sample in samples[:INTERPRETED]:
            interpreter.set_input(sample, 0)
            interpreter.invoke()
            outputs.append(interpreter.get_output(0))
        return outputs

    expected = np.stack(interpret()).reshape(INTERPRETED, -1)
    if not np.allclose(model.run_batch([samples])[0][:INTERPRETED].reshape(INTERPRETED, -1), expected, 1e-3):
        raise SystemExit("the outputs differ")
    repeats = max(1, 4000 // BATCH)
    pairs = []
    for _ in range(PAIRS):
        ours = cpu_s(lambda: [model.run_batch([samples]) for _ in range(repeats)]) / (BATCH * repeats)
        pairs.append((ours * 1e6, cpu_s(interpret) / INTERPRETED * 1e6))
    return (
        median(ours for ours, _ in pairs),
        median(theirs for _, theirs in pairs),
        median(theirs / ours for ours, theirs in pairs),
    )


def whole_run(model: Path) -> float:
    """Microseconds of processor time per sample of an accuracy run over a .npz on one core."""
    from tinyserve.bench.accuracy import run as accuracy
    from tinyserve.convert import convert

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quantize = "float32" if model.stem in FLOAT32 else "int8"
        made = convert(model, quantize=quantize, output=folder / "bundle")
        shape = made.manifest.inputs[0].shape[1:]
        rows = ROWS_BYTES // (4 * int(np.prod(shape)))
        values = np.random.default_rng(0).standard_normal((rows, *shape), np.float32)
        np.savez(folder / "d.npz", x=values, y=np.zeros(rows, np.int8))
        accuracy.run(made, folder / "d.npz", jobs=1)  # builds the library
        return cpu_s(lambda: accuracy.run(made, folder / "d.npz", jobs=1)) / rows * 1e6


def main() -> None:
    directory = os.environ.get("TINYSERVE_MODELS")
    if not directory:
        raise SystemExit("set TINYSERVE_MODELS")
    print(f"{'microseconds per sample':26}{'compiled':>10}{'TFLM':>10}{'ratio':>8}{'whole run':>11}")
    for name in sys.argv[1:] or (*INT8, *FLOAT32):
        path = Path(directory) / f"{name}.tflite"
        ours, theirs, ratio = compare(path.read_bytes())
        print(f"{name:26}{ours:10.1f}{theirs:10.1f}{ratio:8.1f}{whole_run(path):11.1f}", flush=True)


if __name__ == "__main__":
    main()
