# SPDX-License-Identifier: Apache-2.0
"""Classic models in ONNX (the domain ai.onnx.ml), as skl2onnx and its like write them."""
