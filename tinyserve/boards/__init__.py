"""Boards and cores: what a person would look up in a datasheet, as data files."""

from tinyserve.boards.catalog import all_boards, load, load_file
from tinyserve.boards.types import Board, Core

__all__ = ["Board", "Core", "all_boards", "load", "load_file"]
