# SPDX-License-Identifier: Apache-2.0
"""Where each buffer of a program lies in the arena."""
