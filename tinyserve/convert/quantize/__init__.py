# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization, and the schemes that a conversion chooses from."""
