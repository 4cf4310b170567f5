# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Serving's REST predict API; KServe's V1 is the same.

It has no types, so values are in real units, both ways: a quantized model's inputs are quantized here, its
outputs dequantized. signature_name "raw" takes and gives the model's own integers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tinyserve.serve.errors import RequestError
from tinyserve.serve.gateway import Gateway
from tinyserve.serve.request import InferAnswer
from tinyserve.serve.rest.guard import read_body
from tinyserve.serve.rest.replies import as_json, named
from tinyserve.serve.served import DATATYPES, Served
from tinyserve.serve.tensors import MOST_DIMENSIONS, Asked, Given, to_request

DEFAULT = "serving_default"
RAW = "raw"


class _Predict(msgspec.Struct):
    instances: Any = msgspec.UNSET
    inputs: Any = msgspec.UNSET
    signature_name: str = DEFAULT


_DECODER = msgspec.json.Decoder(_Predict)


def routes(gateway: Gateway) -> list[Route]:
    """Their paths."""
    endpoints = _Endpoints(gateway)
    found = []
    for path in ("/v1/models/{model}", "/v1/models/{model}/versions/{version}"):
        found += [
            Route(f"{path}:predict", endpoints.predict, methods=["POST"]),
            Route(f"{path}:classify", endpoints.classify, methods=["POST"]),
            Route(f"{path}/metadata", endpoints.metadata, methods=["GET"]),
            Route(path, endpoints.status, methods=["GET"]),
        ]
    return found


class _Endpoints:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def predict(self, request: Request) -> Response:
        parsed, answer = await self._answer(request)
        names = list(answer.outputs)
        values = {name: array.tolist() for name, array in answer.outputs.items()}
        if parsed.inputs is not msgspec.UNSET:
            return as_json({"outputs": values[names[0]] if len(names) == 1 else values})
        if len(names) == 1:
            return as_json({"predictions": values[names[0]]})
        count = len(answer.done)
        return as_json({"predictions": [{name: values[name][row] for name in names} for row in range(count)]})

    async def classify(self, request: Request) -> Response:
        """Each sample's classes with their scores, the best first: [["label", score], …]."""
        _, answer = await self._answer(request)
        scores = next(iter(answer.outputs.values()))
        labels = self._model(request).labels
        rows = []
        for row in scores.reshape(len(answer.done), -1).astype(np.float64):  # -(-128) is no int8
            names = labels if len(labels) == len(row) else [str(index) for index in range(len(row))]
            rows.append([[names[index], float(row[index])] for index in np.argsort(-row, kind="stable")])
        return as_json({"results": rows})

    async def status(self, request: Request) -> Response:
        """Of the model's version; KServe's V1 asks for "name" and "ready"."""
        pool = self._gateway.pool(*named(request))
        state = {"error_code": "OK", "error_message": ""}
        return as_json(
            {
                "name": pool.model.name,
                "ready": pool.is_ready,
                "model_version_status": [
                    {
                        "version": pool.model.version,
                        "state": "AVAILABLE" if pool.is_ready else "LOADING",
                        "status": state,
                    }
                ],
            }
        )

    async def metadata(self, request: Request) -> Response:
        model = self._model(request)
        signatures = {DEFAULT: _signature(model, True), RAW: _signature(model, False)}
        return as_json(
            {
                "model_spec": {"name": model.name, "signature_name": "", "version": model.version},
                "metadata": {"signature_def": {"signature_def": signatures}},
            }
        )

    def _model(self, request: Request) -> Served:
        return self._gateway.pool(*named(request)).model

    async def _answer(self, request: Request) -> tuple[_Predict, InferAnswer]:
        name, version = named(request)
        model = self._gateway.pool(name, version).model
        limits = self._gateway.config.limits
        body = await read_body(request, limits, model.body_bytes(limits.batch))
        try:
            parsed = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RequestError(f"the request is malformed: {error}", '{"instances": [...]}') from error
        if parsed.signature_name not in (DEFAULT, RAW, ""):
            raise RequestError(f"there is no signature {parsed.signature_name[:80]!r}", f"{DEFAULT} or {RAW}")
        is_real = parsed.signature_name != RAW
        tensors = [_given(name, values, model, is_real) for name, values in _columns(parsed, model).items()]
        asked = Asked(name, version, parameters={"dequantize": is_real})
        inference = replace(
            to_request(asked, tensors, model), traceparent=request.headers.get("traceparent", "")
        )
        return parsed, await self._gateway.infer(inference, "tfserving")


def _columns(parsed: _Predict, model: Served) -> dict[str, Any]:
    """By input's name its values, of all samples."""
    if (parsed.instances is msgspec.UNSET) == (parsed.inputs is msgspec.UNSET):
        raise RequestError('give one of "instances" (rows) and "inputs" (columns)')
    names = [info.name for info in model.inputs]
    if parsed.inputs is not msgspec.UNSET:
        return parsed.inputs if isinstance(parsed.inputs, dict) else {names[0]: parsed.inputs}
    rows = parsed.instances
    if not isinstance(rows, list) or not rows:
        raise RequestError('"instances" is no list of samples')
    if not model.batches:
        raise RequestError(f"{model.name} has no sample axis", 'use "inputs"')
    if not all(isinstance(row, dict) for row in rows):
        return {names[0]: rows}
    keys = set(rows[0])
    if any(set(row) != keys for row in rows):
        raise RequestError("the instances name different inputs")
    return {key: [row[key] for row in rows] for key in rows[0]}


def _given(name: str, values: Any, model: Served, is_real: bool) -> Given:
    info = next((info for info in model.inputs if info.name == name), None)
    datatype = DATATYPES[info.dtype] if info is not None else "FP32"
    if info is not None and info.scale and is_real:
        datatype = "FP32"
    return Given(name, datatype, tuple(_extents(values)), values if isinstance(values, list) else [values])


def _extents(values: Any) -> list[int]:
    """The shape of nested lists; that they are all of one length is seen when they are flat."""
    found: list[int] = []
    while isinstance(values, list):
        found.append(len(values))
        if not values or len(found) > MOST_DIMENSIONS:
            break
        values = values[0]
    return found


def _signature(model: Served, is_real: bool) -> dict[str, object]:
    def tensor(name: str, dtype: str, shape: list[int], scale: float) -> dict[str, object]:
        kind = "DT_FLOAT" if is_real and scale else f"DT_{dtype.upper()}".replace("DT_FLOAT32", "DT_FLOAT")
        first = ["-1"] if model.batches else []
        dims = [*first, *(str(extent) for extent in shape[len(first) :])]
        return {"dtype": kind, "name": name, "tensor_shape": {"dim": [{"size": size} for size in dims]}}

    return {
        "inputs": {i.name: tensor(i.name, i.dtype, i.shape, i.scale) for i in model.inputs},
        "outputs": {o.name: tensor(o.name, o.dtype, o.shape, o.scale) for o in model.outputs},
        "method_name": "tensorflow/serving/predict",
    }
