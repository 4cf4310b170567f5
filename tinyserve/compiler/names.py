# SPDX-License-Identifier: Apache-2.0
"""Names: from what a model calls its tensors to unique, readable C identifiers."""

from __future__ import annotations

import re

# Parts of TFLite tensor names that say which TensorFlow operator made the tensor, not which layer it is.
_OPERATOR_PARTS_TEXT = """
    Add AddV2 AvgPool BiasAdd Conv2D ConcatV2 FusedBatchNormV3 MatMul MaxPool Mean Mul
    PartitionedCall Relu Relu6 Reshape Sigmoid Softmax Squeeze Tanh add concat depthwise mul
    separable_conv2d
"""
_OPERATOR_PARTS = frozenset(_OPERATOR_PARTS_TEXT.split())

# Keywords, and functions that compilers know as builtins and warn about when something else takes their name.
_RESERVED_NAMES = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl const
    constexpr continue default delete do double else enum explicit export extern false float for
    friend goto if inline int long mutable namespace new not not_eq nullptr operator or or_eq
    private protected public register restrict return short signed sizeof static struct switch
    template this throw true try typedef typename typeof union unsigned using virtual void volatile
    wchar_t while xor xor_eq abort abs acos acosh alloca asin asinh atan atan2 atanh bcmp bcopy
    bzero calloc cbrt ceil conj copysign cos cosh creal drem erf erfc exit exp exp2 exp10 expm1 fabs
    fdim ffs floor fma fmax fmin fmod fputc fputs free frexp gamma hypot ilogb index isalnum isalpha
    isdigit isinf islower isnan isprint isspace isupper j0 j1 jn labs ldexp lgamma llabs llrint
    llround log log10 log1p log2 logb lrint lround main malloc memchr memcmp memcpy memmove memset
    modf nan nearbyint nextafter pow printf putchar puts realloc remainder remquo rindex rint round
    scalb scalbln scalbn scanf signbit significand sin sincos sinh sqrt stpcpy strcat strchr strcmp
    strcpy strcspn strdup strlen strncat strncmp strncpy strpbrk strrchr strspn strstr tan tanh
    tgamma tolower toupper trunc vprintf y0 y1 yn
"""
_RESERVED = frozenset(_RESERVED_NAMES.split())
_MAX_LENGTH = 48


def short_name(name: str) -> str:
    """The layer in a tensor's name: ``model/activation/Relu;model/conv2d_1/BiasAdd`` gives ``conv2d_1``.

    TensorFlow's converter names a fused tensor after all that went into it. The layer that has the weights
    says most, then one that does more than activate.
    """
    fused = [part.split(":")[0] for part in name.split(";")]
    path = min(fused, key=lambda part: _telling(part.split("/")))
    parts = [part for part in path.split("/") if part]
    if len(parts) > 1 and parts[-1] in _OPERATOR_PARTS:
        parts.pop()
    return "_".join(parts[1:] if len(parts) > 1 else parts)


def _telling(path: list[str]) -> int:
    """How little a part of a fused name says about the layer."""
    if path[-1] == "BiasAdd":
        return 0
    if re.fullmatch(r"(Conv2D|depthwise|MatMul)\d*", path[-1]):
        return 1
    return 3 if path[-1].startswith(("Relu", "FusedBatchNorm", "ReadVariableOp", "resource")) else 2


def constant_name(name: str) -> str:
    """Short name of a constant that is called after a tensor: ``model/conv2d/Conv2D;bn_shifts`` gives
    ``conv2d_shifts``."""
    suffix = re.search(r"(_[a-z]+)?$", name)
    assert suffix is not None
    return short_name(name[: suffix.start()]) + suffix.group()


def identifier(text: str) -> str:
    """``text`` as a C identifier: never a keyword, never a builtin function, without a leading _."""
    plain = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")[:_MAX_LENGTH].rstrip("_")
    if not plain:
        return "unnamed"
    if plain[0].isdigit():
        plain = f"n{plain}"
    return f"{plain}_" if plain in _RESERVED else plain


class UniqueNames:
    """Hands out each identifier once: the second ``add`` is ``add_2``. Case alone tells no two apart."""

    def __init__(self, *taken: str) -> None:
        self._taken = set(taken)

    def take(self, text: str) -> str:
        base = identifier(text)
        name, count = base, 1
        while name.lower() in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name.lower())
        return name
