# SPDX-License-Identifier: Apache-2.0
"""The names of the fields of builtin operators' options, in the order of their slots in the TFLite schema.

Only of operators whose options something reads. Source: tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from __future__ import annotations

_ACTIVATION = "fused_activation_function"
_STRIDES = ("stride_w", "stride_h")
_DILATIONS = ("dilation_w_factor", "dilation_h_factor")
_POOL = ("padding", *_STRIDES, "filter_width", "filter_height", _ACTIVATION)
_REDUCER = ("keep_dims",)

FIELDS: dict[str, tuple[str, ...]] = {
    "ADD": (_ACTIVATION,),
    "AVERAGE_POOL_2D": _POOL,
    "BATCH_MATMUL": ("adj_x", "adj_y"),
    "CALL_ONCE": ("init_subgraph_index",),
    "CONCATENATION": ("axis", _ACTIVATION),
    "CONV_2D": ("padding", *_STRIDES, _ACTIVATION, *_DILATIONS),
    "CONV_3D": ("padding", "stride_d", *_STRIDES, _ACTIVATION, "dilation_d_factor", *_DILATIONS),
    "CUMSUM": ("exclusive", "reverse"),
    "DEPTHWISE_CONV_2D": ("padding", *_STRIDES, "depth_multiplier", _ACTIVATION, *_DILATIONS),
    "DEPTH_TO_SPACE": ("block_size",),
    "DIV": (_ACTIVATION,),
    "FULLY_CONNECTED": (_ACTIVATION, "weights_format", "keep_num_dims"),
    "GATHER": ("axis", "batch_dims"),
    "GELU": ("approximate",),
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "L2_NORMALIZATION": (_ACTIVATION,),
    "L2_POOL_2D": _POOL,
    "LEAKY_RELU": ("alpha",),
    "MAX_POOL_2D": _POOL,
    "MEAN": _REDUCER,
    "MIRROR_PAD": ("mode",),
    "MUL": (_ACTIVATION,),
    "ONE_HOT": ("axis",),
    "PACK": ("values_count", "axis"),
    "REDUCE_ALL": _REDUCER,
    "REDUCE_ANY": _REDUCER,
    "REDUCE_MAX": _REDUCER,
    "REDUCE_MIN": _REDUCER,
    "REDUCE_PROD": _REDUCER,
    "RESIZE_BILINEAR": ("new_height", "new_width", "align_corners", "half_pixel_centers"),
    "RESIZE_NEAREST_NEIGHBOR": ("align_corners", "half_pixel_centers"),
    "SOFTMAX": ("beta",),
    "SPACE_TO_DEPTH": ("block_size",),
    "SPLIT": ("num_splits",),
    "SPLIT_V": ("num_splits",),
    "STRIDED_SLICE": (
        "begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask", "offset",
    ),
    "SUB": (_ACTIVATION,),
    "SUM": _REDUCER,
    "SVDF": ("rank", _ACTIVATION),
    "TRANSPOSE_CONV": ("padding", *_STRIDES, _ACTIVATION),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (_ACTIVATION, "cell_clip", "proj_clip", "time_major"),
    "UNPACK": ("num", "axis"),
    "VAR_HANDLE": ("container", "shared_name"),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
}  # fmt: skip
