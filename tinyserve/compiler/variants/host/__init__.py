# SPDX-License-Identifier: Apache-2.0
"""Vector units of the computer that compiles: runs over whole data sets. C in ``kernels/host``."""
