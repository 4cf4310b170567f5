# SPDX-License-Identifier: Apache-2.0
"""Boards and cores: what is looked up in a data sheet, as data files."""

from tinyserve.boards.catalog import all_boards, load, load_file, packaged
from tinyserve.boards.types import Board, Core

__all__ = ["Board", "Core", "all_boards", "load", "load_file", "packaged"]
