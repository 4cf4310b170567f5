# SPDX-License-Identifier: Apache-2.0
"""Bench firmware as a project of another build system: one module per kind, which ends in ``KIND``."""
