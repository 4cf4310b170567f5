# SPDX-License-Identifier: Apache-2.0
"""A model as a library of another build system: one module per kind, which ends in ``KIND``."""
