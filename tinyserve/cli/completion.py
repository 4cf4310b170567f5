# SPDX-License-Identifier: Apache-2.0
"""What shells offer for an argument beyond click's own choices: boards, schemes, bundles and models.

A shell asks at every press of the key, so only names of files are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

MODELS = frozenset([".keras", ".h5", ".onnx", ".pt2", ".joblib", ".pkl", ".tflite"])
MANIFEST = "manifest.json"
"""bundle.MANIFEST_FILE: its module takes longer to load than a shell may wait."""
_MOST_ENTRIES = 2000


class Words(click.types.StringParamType):
    """Any text; the shell offers ``words()``, and files where the text so far is a path's. --help calls it
    ``name``, in capitals."""

    def __init__(self, name: str, words: Callable[[], Iterable[str]]) -> None:
        self.name = name
        self._words = words

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = [word for word in self._words() if word.startswith(incomplete.lower())]
        if found or not incomplete:
            return [CompletionItem(word) for word in found]
        return [CompletionItem(incomplete, type="file")]


class ModelPath(click.Path):
    """A path; the shell offers the bundles and, unless ``bundles_only``, the models that are there, and any
    file where there are none."""

    def __init__(self, bundles_only: bool = False) -> None:
        super().__init__(path_type=Path)
        self._bundles_only = bundles_only

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = sorted(self._found(incomplete))
        if found:
            return [CompletionItem(name) for name in found]
        return super().shell_complete(ctx, param, incomplete)

    def _found(self, incomplete: str) -> Iterator[str]:
        """Beside what is typed so far; before anything is typed also where conversions write."""
        parent, slash, start = incomplete.rpartition("/")
        for name in self._in(Path(parent + slash or ".")):
            if name.startswith(start):
                yield parent + slash + name
        if not incomplete:
            yield from (f"build/{name}" for name in self._in(Path("build")))

    def _in(self, directory: Path) -> Iterator[str]:
        from itertools import islice

        try:
            entries = list(islice(directory.iterdir(), _MOST_ENTRIES))
        except (OSError, ValueError):
            return
        for path in entries:
            is_model = not self._bundles_only and path.suffix.lower() in MODELS
            if is_model or (path / MANIFEST).is_file():
                yield path.name


def _boards() -> list[str]:
    from tinyserve.resources import data_directory

    files = data_directory("boards").glob("*.toml")
    return sorted(path.stem for path in files if path.stem != "cores")


BOARD = Words("name", _boards)
EMULATOR = Words("kind", lambda: ("unicorn", "qemu", "renode", "host"))
SCHEME = Words("type", lambda: ("int8", "int16x8", "float32", "auto"))
FRONTEND = Words("name", lambda: ("keras2", "tensorflow", "pytorch"))
SOURCE = ModelPath()
BUNDLE = ModelPath(bundles_only=True)
