# SPDX-License-Identifier: Apache-2.0
"""Instructions, cycles and memory: what an inference takes, and where."""
