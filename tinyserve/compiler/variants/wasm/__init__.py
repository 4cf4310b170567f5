# SPDX-License-Identifier: Apache-2.0
"""WebAssembly with vectors of 128 bits: the browser. C in ``kernels/wasm``."""
