# SPDX-License-Identifier: Apache-2.0
"""Steps on images [height][width][channels], as operators."""

from __future__ import annotations

from tinyserve.compiler.ops.features.pixels import FORMS
from tinyserve.features import spec
from tinyserve.features.flow import Flow, Value
from tinyserve.features.steps import banded, build
from tinyserve.words import counted

_LUMINANCE = (0.299, 0.587, 0.114)


@build.register
def _crop(step: spec.Crop, value: Value, flow: Flow) -> Value:
    height, width, channels = _image(value, flow)
    top = (height - step.height) // 2 if step.top is None else step.top
    left = (width - step.width) // 2 if step.left is None else step.left
    if top < 0 or left < 0 or top + step.height > height or left + step.width > width:
        wanted = f"{step.height} × {step.width} from ({top}, {left})"
        raise flow.error(f"{wanted} of an image of {height} × {width}", "a part inside of it")
    shape = (step.height, step.width, channels)
    bounds = [flow.constant(values, "int32") for values in ((0, top, left, 0), (1, *shape))]
    return flow.builtin("SLICE", "", value, bounds, shape)


@build.register
def _resize(step: spec.Resize, value: Value, flow: Flow) -> Value:
    _, _, channels = _image(value, flow)
    op, options = {
        "bilinear": ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
        "nearest": ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    }[step.method]
    size = flow.constant((step.height, step.width), "int32")
    shape = (step.height, step.width, channels)
    return flow.builtin(op, options, flow.floats(value), [size], shape, halfPixelCenters=True)


@build.register
def _grey(_: spec.Grey, value: Value, flow: Flow) -> Value:
    height, width, channels = _image(value, flow)
    if channels != 3:
        raise flow.error(f"{counted(channels, 'channel is', 'channels are')} no RGB", "three of them")
    if value.dtype == "uint8":
        return flow.custom("FeaturePixels", value, [], (height, width, 1), form=FORMS.index("grey"))
    return banded([_LUMINANCE], flow.floats(value), flow)


@build.register
def _rgb565(step: spec.Rgb565, value: Value, flow: Flow) -> Value:
    first = int(step.order == "little")
    return _camera(value, flow, form=FORMS.index("rgb565"), first=first)


@build.register
def _yuv422(step: spec.Yuv422, value: Value, flow: Flow) -> Value:
    if len(value.shape) == 3 and value.shape[1] % 2:
        raise flow.error(f"{value.shape[1]} pixels in a row: two share their colour", "an even width")
    first = int(step.order == "uyvy")
    return _camera(value, flow, form=FORMS.index("yuv422"), first=first, video=int(step.range == "video"))


def _camera(value: Value, flow: Flow, **options: float) -> Value:
    height, width, channels = _image(value, flow)
    if value.dtype != "uint8" or channels != 2:
        raise flow.error(
            f"two bytes per pixel are wanted, and it is {value.dtype} {list(value.shape)}",
            '[input] type = "uint8", shape = [height, width, 2]',
        )
    return flow.custom("FeaturePixels", value, [], (height, width, 3), **options)


def _image(value: Value, flow: Flow) -> tuple[int, int, int]:
    """Height, width and channels."""
    if len(value.shape) != 3:
        raise flow.error(f"{list(value.shape)} is no image", "[height, width, channels]")
    height, width, channels = value.shape
    return height, width, channels
