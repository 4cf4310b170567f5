# SPDX-License-Identifier: Apache-2.0
"""What features cost on a Cortex-M4, beside CMSIS-DSP's C and TFLM's own front end.

    python benchmarks/features.py --cmsis-dsp DIR --frontend DIR [--json FILE]

DIR: unpacked source packages (``pip download --no-deps --no-binary :all: cmsisdsp pymicro-features``). All
are built by arm-none-eabi-gcc with the same flags, run in Unicorn, and counted alike: instructions of a frame
of the same noise. The logarithm that CMSIS-DSP calls is ours, and its square root one instruction.

- MFCC: 16 kHz, windows of 30 ms every 20 ms, an FFT of 512, 40 mel bands, 10 coefficients.
- TFLM's micro front end: windows of 30 ms every 10 ms, 40 channels, noise reduction, automatic gain.

``--boards``: ours on emulated boards, too, built as ``bench`` builds (zig).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.core import CoreImage
from tinyserve.bench.counts.count import counts_of
from tinyserve.compiler.compile import compile_model, write
from tinyserve.compiler.program import Target
from tinyserve.features import design, spec
from tinyserve.features.model import written

C = Path(__file__).parent / "features_c"
KERNELS = Path(__file__).resolve().parents[1] / "tinyserve" / "kernels"
M4 = Target(frozenset({"dsp", "fpu"}))
FLAGS = [
    "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-O2", "-ffp-contract=off",
    "-fno-math-errno", "-ffunction-sections", "-fdata-sections", "-DARM_MATH_LOOPUNROLL",
    "-D__FPU_PRESENT=1", "-w",
]  # fmt: skip
RATE, LENGTH, HOP, FFT, BANDS, COEFFICIENTS = 16_000, 480, 320, 512, 40, 10
FRAMES = 4  # the last is counted: history is filled, and gains have settled on something
MFCC = f"""
[input]
shape = [{HOP}]
type = "int16"
rate_hz = {RATE}
stream = true
[[steps]]
kind = "scale"
factor = [0.000030517578125]
[[steps]]
kind = "window"
length = {LENGTH}
hop = {HOP}
[[steps]]
kind = "mfcc"
coefficients = {COEFFICIENTS}
bands = {BANDS}
fft_length = {FFT}
"""
FRONTEND = f"""
[input]
shape = [160]
type = "int16"
rate_hz = {RATE}
stream = true
[[steps]]
kind = "window"
length = {LENGTH}
hop = 160
[[steps]]
kind = "micro_frontend"
"""
CMSIS = {
    "TransformFunctions": (
        "mfcc_f32 mfcc_init_f32 mfcc_q15 mfcc_init_q15 rfft_fast_f32 rfft_fast_init_f32 "
        "cfft_f32 cfft_init_f32 cfft_radix8_f32 bitreversal2 rfft_q15 rfft_init_q15 cfft_q15 "
        "cfft_init_q15 cfft_radix4_q15 "
    ),
    "CommonTables": ("common_tables const_structs "),
    "StatisticsFunctions": ("absmax_f32 absmax_q15 "),
    "BasicMathFunctions": (
        "scale_f32 mult_f32 offset_f32 dot_prod_f32 mult_q15 dot_prod_q15 offset_q31 shift_q31 "
        "shift_q15 scale_q15 scale_q31 abs_q15 "
    ),
    "ComplexMathFunctions": ("cmplx_mag_f32 cmplx_mag_q15 "),
    "FastMathFunctions": ("vlog_f32 vlog_q31 vlog_q15 divide_q15 sqrt_q15 sqrt_q31 "),
    "MatrixFunctions": ("mat_vec_mult_f32 mat_vec_mult_q15 "),
    "SupportFunctions": ("q31_to_q15 copy_q15 "),
}
"""Sources of CMSIS-DSP by directory, each ``arm_NAME.c``."""


def noise(samples: int) -> np.ndarray:
    return (np.random.default_rng(6).normal(size=samples) * 3000).astype(np.int16)


def linked(
    directory: Path, sources: Sequence[Path], include: Sequence[Path], keep: Sequence[str]
) -> CoreImage:
    """An image for a Cortex-M4. Raises RuntimeError with the compiler's words."""
    elf = directory / "image.elf"
    script = directory / "link.ld"
    script.write_text(
        "SECTIONS { . = 0x10000; .text : { *(.text*) *(.rodata*) } .ARM.exidx : { *(.ARM.exidx*) }\n"
        ". = 0x20000000; .data : { *(.data*) *(.init_array*) *(.bss*) *(COMMON) } end = .; }\n"
    )
    driver = "arm-none-eabi-g++" if any(path.suffix == ".cc" for path in sources) else "arm-none-eabi-gcc"
    # The same for C and C++: nothing is thrown, and nothing asked of types.
    extra = ["-fno-exceptions", "-fno-rtti", "-DFIXED_POINT=16"] if driver.endswith("g++") else ["-std=gnu11"]
    command = [
        driver, *FLAGS, *extra, *(f"-I{path}" for path in include), *map(str, sources), "-nostartfiles",
        "--specs=nosys.specs", "-T", str(script), "-Wl,--gc-sections", f"-Wl,--entry={keep[0]}",
        *(f"-Wl,--undefined={name}" for name in keep), "-lm", "-o", str(elf),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[:4000])
    return CoreImage(elf)


def ours(text: str, hop: int) -> tuple[int, bytes]:
    """Instructions of the last frame, and its features."""
    compiled = compile_model(written(spec.parse(text.encode(), "spec"))[0], M4, "own")
    sound = noise(hop * FRAMES)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write(compiled, directory)
        functions = [f"ts_own_{one}" for one in ("init", "invoke", "input", "output")]
        sources = [directory / one for one in compiled.sources.compile]
        image = linked(directory, sources, [directory], functions)
    image.call("ts_own_init")
    count = 0
    for frame in range(FRAMES):
        image.call("ts_own_input", 0)
        image.write(image.result, sound[frame * hop : (frame + 1) * hop].tobytes())
        count = image.call("ts_own_invoke").instructions
    image.call("ts_own_output", 0)
    return count, image.read(image.result, compiled.program.output_tensors[0].nbytes)


def on_board(text: str, hop: int, board: str) -> int:
    """Instructions of the last frame in the firmware that ``bench`` runs."""
    data = written(spec.parse(text.encode(), "spec"))[0]
    return counts_of(data, board, [noise(hop * FRAMES).reshape(FRAMES, 1, hop)])[-1]


def cmsis(root: Path) -> dict[str, int]:
    """Instructions of CMSIS-DSP's MFCC of the same frame, in float32 and q15."""
    bands = design.mel_bands(BANDS, 20, RATE / 2, rate_hz=RATE, fft_length=FFT, scale="htk", area=False)
    found = [np.flatnonzero(row) for row in bands]
    filters = np.concatenate([row[one[0] : one[-1] + 1] for row, one in zip(bands, found, strict=True)])
    window = np.zeros(FFT)
    window[:LENGTH] = design.window("hann", LENGTH)
    dct = design.cosines(COEFFICIENTS, BANDS).reshape(-1)
    sound = np.zeros(FFT, np.int16)
    sound[:LENGTH] = noise(HOP * FRAMES)[HOP * FRAMES - LENGTH :]
    tables = {
        "dct": ("float", dct), "filters": ("float", filters), "window": ("float", window),
        "dct_q15": ("q15_t", q15(dct)), "filters_q15": ("q15_t", q15(filters)),
        "window_q15": ("q15_t", q15(window)),
        "sound": ("int16_t", sound), "positions": ("uint32_t", np.array([one[0] for one in found])),
        "lengths": ("uint32_t", np.array([one[-1] + 1 - one[0] for one in found])),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        sizes = {"FFT": FFT, "BANDS": BANDS, "COEFFICIENTS": COEFFICIENTS}
        lines = [f"#define {name} {value}" for name, value in sizes.items()]
        lines += [f"static const {kind} {one}[] = {{{listed(v)}}};" for one, (kind, v) in tables.items()]
        (directory / "tables.h").write_text("\n".join(lines))
        named = ((group, name) for group, names in CMSIS.items() for name in names.split())
        sources = [C / "cmsis_main.c", *(root / "Source" / group / f"arm_{one}.c" for group, one in named)]
        include = [directory, C, root / "Include", root / "PrivateInclude", KERNELS]
        image = linked(directory, sources, include, ["setup", "run_f32", "run_q15", "result_f32"])
    image.call("setup")
    counts = {kind: image.call(f"run_{kind}").instructions for kind in ("f32", "q15")}
    image.call("result_f32")
    theirs = np.frombuffer(image.read(image.result, 4 * COEFFICIENTS), "<f4")
    print(f"CMSIS-DSP's coefficients (of magnitudes): {np.round(theirs, 2).tolist()}")
    return counts


def q15(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values * 32768), -32768, 32767).astype(int)


def listed(values: np.ndarray) -> str:
    return ", ".join(repr(value) for value in np.asarray(values).tolist())


def frontend(root: Path) -> int:
    """Instructions of TFLM's front end of the same frame."""
    library = root / "tensorflow" / "lite" / "experimental" / "microfrontend" / "lib"
    names = "kiss_fft_int16 fft fft_util filterbank filterbank_util frontend frontend_util log_lut log_scale"
    names += " log_scale_util noise_reduction noise_reduction_util pcan_gain_control pcan_gain_control_util"
    names += " window window_util"
    kiss = root / "kissfft"
    with tempfile.TemporaryDirectory() as name:
        frames = f"static const int16_t sound[] = {{{listed(noise(160 * (FRAMES + 2)))}}};"
        (Path(name) / "sound.h").write_text(f"#include <stdint.h>\n{frames}\n")
        sources = [C / "frontend_main.cc", *(library / f"{one}.cc" for one in names.split())]
        sources += [kiss / "kiss_fft.cc", kiss / "tools" / "kiss_fftr.cc"]
        image = linked(Path(name), sources, [Path(name), root, kiss], ["setup", "run"])
    image.call("setup")
    if image.result != 1:
        raise RuntimeError("the front end does not take its configuration")
    count = 0
    for _ in range(FRAMES + 2):
        count = image.call("run").instructions
    if image.result != 40:
        raise RuntimeError(f"{image.result} features instead of 40")
    return count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cmsis-dsp", type=Path)
    parser.add_argument("--frontend", type=Path)
    parser.add_argument("--boards", nargs="*", default=[], metavar="BOARD")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, int] = {}
    found["mfcc ours"], features = ours(MFCC, HOP)
    print(f"our coefficients (of powers): {np.round(np.frombuffer(features, '<f4'), 2).tolist()}")
    found["frontend ours"], _ = ours(FRONTEND, 160)
    if given.cmsis_dsp:
        found |= {f"mfcc CMSIS-DSP {kind}": count for kind, count in cmsis(given.cmsis_dsp).items()}
    if given.frontend:
        found["frontend TFLM"] = frontend(given.frontend)
    for board in given.boards:
        found[f"mfcc ours {board}"] = on_board(MFCC, HOP, board)
        found[f"frontend ours {board}"] = on_board(FRONTEND, 160, board)
    for name, count in found.items():
        print(f"{name:28} {count:>10,} instructions, {count / found[name.split()[0] + ' ours']:.2f} of ours")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
