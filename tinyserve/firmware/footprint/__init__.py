# SPDX-License-Identifier: Apache-2.0
"""Flash and RAM: what firmware takes of a board, and what to do where that is too much."""
