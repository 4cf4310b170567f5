# SPDX-License-Identifier: Apache-2.0
"""A CMSIS pack: the model as a component with a variant for each kind of core."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from xml.etree import ElementTree as Xml

from tinyserve.compiler.compile import Compiled
from tinyserve.escapes import xml_text
from tinyserve.firmware.export.kind import Kind
from tinyserve.firmware.export.library import AUTHOR, DOCUMENTATION, Library, model_files, render, sentence
from tinyserve.resources import LICENCE_TAG

_SCHEMA = "1.7.7"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16


@dataclass(frozen=True)
class _Variant:
    """Kernels for some cores: attributes of the schema's filters, one set per accepted processor."""

    name: str
    features: frozenset[str]
    accepts: tuple[tuple[tuple[str, str], ...], ...]


def _cores(*names: str, **attributes: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    return tuple((("Dcore", name), *attributes.items()) for name in names)


_FPUS = ("FPU", "SP_FPU", "DP_FPU")
_ARMV6M = _cores("Cortex-M0", "Cortex-M0+", "Cortex-M1", "SC000", "Cortex-M23")
_DSP = tuple(
    accepted
    for fpu in _FPUS
    for accepted in (
        *_cores("Cortex-M4", "Cortex-M7", Dfpu=fpu),
        *_cores("Cortex-M33", "Cortex-M35P", Dfpu=fpu, Ddsp="DSP"),
    )
)
_HELIUM = _cores("Cortex-M55", "Cortex-M85", "Cortex-M52", Dmve="FP_MVE")
_VARIANTS = (
    _Variant("Armv6-M", frozenset({"thumb1"}), _ARMV6M),
    _Variant("DSP", frozenset({"dsp", "fpu"}), _DSP),
    _Variant("Helium", frozenset({"dsp", "mve", "fpu"}), _HELIUM),
)
_PORTABLE = _Variant("Portable", frozenset(), ())


def files(library: Library) -> dict[str, bytes]:
    """The pack's contents, and the pack itself."""
    variants = {one: library.compile(library.target_with(one.features)) for one in (_PORTABLE, *_VARIANTS)}
    made = render("cmsis-pack", library, variants[_PORTABLE])
    for variant, compiled in variants.items():
        made |= model_files(compiled, f"src/{variant.name}")
    pack = f"{AUTHOR}.{library.name}"
    made[f"{pack}.pdsc"] = _description(library, variants)
    made[f"{pack}.{library.version}.pack"] = _zipped(made)
    return made


def _description(library: Library, variants: dict[_Variant, Compiled]) -> bytes:
    """The .pdsc."""
    package = Xml.Element("package", {
        "schemaVersion": _SCHEMA, "xmlns:xs": _INSTANCE, "xs:noNamespaceSchemaLocation": "PACK.xsd",
    })  # fmt: skip
    about = xml_text(sentence(library))
    for tag, text in (
        ("vendor", AUTHOR), ("name", library.name), ("description", about),
        ("url", DOCUMENTATION), ("license", "LICENSE"),
    ):  # fmt: skip
        Xml.SubElement(package, tag).text = text
    releases = Xml.SubElement(package, "releases")
    Xml.SubElement(releases, "release", {"version": library.version}).text = about
    keywords = Xml.SubElement(package, "keywords")
    Xml.SubElement(keywords, "keyword").text = "Machine Learning"
    _conditions(Xml.SubElement(package, "conditions"))
    components = Xml.SubElement(package, "components")
    for variant, compiled in variants.items():
        _component(components, library, variant, compiled)
    Xml.indent(package)
    head = f'<?xml version="1.0" encoding="utf-8"?>\n<!-- {LICENCE_TAG} -->\n'
    return f"{head}{Xml.tostring(package, encoding='unicode')}\n".encode()


def _conditions(conditions: Xml.Element) -> None:
    for variant in _VARIANTS:
        condition = Xml.SubElement(conditions, "condition", {"id": variant.name})
        for accepted in variant.accepts:
            Xml.SubElement(condition, "accept", dict(accepted))
    portable = Xml.SubElement(conditions, "condition", {"id": _PORTABLE.name})
    for variant in _VARIANTS:
        for denied in variant.accepts:
            Xml.SubElement(portable, "deny", dict(denied))


def _component(components: Xml.Element, library: Library, variant: _Variant, compiled: Compiled) -> None:
    component = Xml.SubElement(components, "component", {
        "Cvendor": AUTHOR, "Cclass": "Machine Learning", "Cgroup": "Model", "Csub": library.name,
        "Cvariant": variant.name, "Cversion": library.version, "condition": variant.name,
    })  # fmt: skip
    Xml.SubElement(component, "description").text = f"Kernels: {variant.name}"
    listed = Xml.SubElement(component, "files")
    place = f"src/{variant.name}"
    Xml.SubElement(listed, "file", {"category": "include", "name": f"{place}/"})
    Xml.SubElement(listed, "file", {"category": "header", "name": f"{place}/{library.name}.h"})
    for source in compiled.sources.compile:
        category = "sourceAsm" if source.endswith(".S") else "sourceC"
        Xml.SubElement(listed, "file", {"category": category, "name": f"{place}/{source}"})


def _zipped(files: dict[str, bytes]) -> bytes:
    """The same bytes whenever it is written."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _MODE
            archive.writestr(entry, content)
    return packed.getvalue()


KIND = Kind("cmsis-pack", "a CMSIS pack, with kernels by core", files)
