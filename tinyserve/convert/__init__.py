"""From a trained model to a bundle. TensorFlow runs in a worker process, and only when it is needed."""

from tinyserve.convert.options import Options
from tinyserve.convert.pipeline import convert

__all__ = ["Options", "convert"]
