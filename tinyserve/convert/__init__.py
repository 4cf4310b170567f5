# SPDX-License-Identifier: Apache-2.0
"""From a trained model to a bundle. TensorFlow runs in a worker process, and only when it is needed."""

from tinyserve.convert.pipeline import convert
from tinyserve.convert.settings import Options

__all__ = ["Options", "convert"]
