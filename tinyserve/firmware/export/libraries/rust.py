# SPDX-License-Identifier: Apache-2.0
"""A Rust crate: the C by way of ``cc``, with contexts of the caller's behind a safe interface without std."""

from __future__ import annotations

from tinyserve.errors import UsageError
from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import Library, Port, model_files, port, render, sentence

# Beyond those that C and C++ have, too; the crates that a crate can't be called.
_KEYWORDS = """
    abstract as async await become box crate dyn extern final fn impl in let loop macro match mod move mut
    override priv pub ref self super trait type unsized use where yield alloc core proc_macro std test cc
"""
_TYPES = {
    "int8_t": "i8",
    "uint8_t": "u8",
    "int16_t": "i16",
    "uint16_t": "u16",
    "uint32_t": "u32",
    "uint64_t": "u64",
    "int32_t": "i32",
    "int64_t": "i64",
    "float": "f32",
}


def files(library: Library) -> dict[str, bytes]:
    """The crate's files. Raises UsageError for a name that is a word of Rust's."""
    if library.name in _KEYWORDS.split():
        raise UsageError(f"--name {library.name}: a word of Rust's", "choose another --name")
    compiled = library.compile(library.target, "caller")
    program, plan = compiled.program, compiled.plan
    made = render(
        "rust", library, compiled,
        sentence=sentence(library), layers=len(program.calls), by_rows=bool(program.bands_in_steps),
        arena_size=max(1, plan.arena_bytes), arena_alignment=plan.alignment,
        inputs=[_typed(port(index, tensor)) for index, tensor in enumerate(program.input_tensors)],
        outputs=[_typed(port(index, tensor)) for index, tensor in enumerate(program.output_tensors)],
    )  # fmt: skip
    return made | model_files(compiled, "c")


class _RustPort(Port):
    """An input or output with its element type in Rust; booleans are bytes that C wrote."""

    @property
    def rust_type(self) -> str:
        return _TYPES.get(self.c_type, "u8")


def _typed(one: Port) -> Port:
    return _RustPort(**{name: getattr(one, name) for name in one.__dataclass_fields__})


KIND = Kind("rust", "a Rust crate, no_std, with a safe interface", files)
