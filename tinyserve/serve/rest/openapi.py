# SPDX-License-Identifier: Apache-2.0
"""The REST API as OpenAPI 3.1."""

from __future__ import annotations

import re
from typing import Any

from tinyserve import __version__

Json = dict[str, Any]
_MODEL = "/v2/models/{model}"
_VERSION = f"{_MODEL}/versions/{{version}}"
_ANSWERS = {
    "400": "The request is malformed, or does not match the model.",
    "401": "The bearer token is missing or wrong.",
    "404": "There is no such model or version.",
    "413": "The body or batch is beyond the limits.",
    "503": "Refused: no member, a full queue, or a deadline that can't be met. Retry-After says when.",
}


def description() -> Json:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tinyserve",
            "version": __version__,
            "summary": "Boards, twins and this computer behind the Open Inference Protocol v2.",
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"bearer": []}],
        "paths": _paths(),
    }


def _paths() -> Json:
    paths: Json = {}
    for method, path, summary, sent, received in _OPERATIONS:
        operation: Json = {
            "summary": summary,
            "operationId": re.sub(r"\W+", "_", f"{method}{path}").strip("_"),
            "responses": _responses(received, has_model="{model}" in path),
        }
        names = re.findall(r"{(\w+)}", path)
        if names:
            operation["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
            ]
        if sent:
            operation["requestBody"] = {"required": True, "content": _content(sent)}
        paths.setdefault(path, {})[method] = operation
    return paths


_OPERATIONS = (
    ("get", "/v2", "The server's name, version and extensions", "", "Any"),
    ("get", "/v2/health/live", "Whether it runs", "", "Any"),
    ("get", "/v2/health/ready", "Whether each loaded model has a member that serves", "", "Any"),
    ("get", _MODEL, "A model's inputs and outputs", "", "Metadata"),
    ("get", _VERSION, "A version's inputs and outputs", "", "Metadata"),
    ("get", f"{_MODEL}/ready", "Whether a member serves the model", "", "Any"),
    ("get", f"{_VERSION}/ready", "Whether a member serves the version", "", "Any"),
    ("get", f"{_MODEL}/config", "The model's configuration, as Triton has it", "", "Any"),
    ("get", f"{_MODEL}/stats", "What the model has answered", "", "Any"),
    ("get", "/v2/models/stats", "What all models have answered", "", "Any"),
    (
        "post",
        f"{_MODEL}/infer",
        "An inference; with binary tensor data, too",
        "InferRequest",
        "InferResponse",
    ),
    ("post", f"{_VERSION}/infer", "An inference on a version", "InferRequest", "InferResponse"),
    ("post", "/v2/repository/index", "The models of fleet.toml", "Any", "Any"),
    ("post", "/v2/repository/models/{model}/load", "Loads a model, or loads it anew", "Any", "Any"),
    (
        "post",
        "/v2/repository/models/{model}/unload",
        "Answers what waits, and closes its members",
        "Any",
        "Any",
    ),
    ("post", "/v1/models/{model}:predict", "TensorFlow Serving's predict, in real units", "Predict", "Any"),
    ("post", "/v1/models/{model}:classify", "The classes with their scores, best first", "Predict", "Any"),
    ("get", "/v1/models/{model}", "TensorFlow Serving's model status", "", "Any"),
    ("get", "/v1/models/{model}/metadata", "TensorFlow Serving's metadata", "", "Any"),
    ("get", "/v2/jobs", "The latest jobs; ?state=, ?delivery=dead", "", "Any"),
    ("get", "/v2/jobs/{job}", "A job's state", "", "Any"),
    ("delete", "/v2/jobs/{job}", "Forgets a job", "", "Any"),
    ("get", "/v2/jobs/{job}/result", "A job's answer; 202 while there is none", "", "InferResponse"),
    ("post", "/v2/jobs/{job}/redeliver", "Sends a job's result to its callback again", "", "Any"),
    ("get", "/v2/events", "Models' events as they come (server-sent events); ?model=, ?name=", "", "Any"),
    ("get", "/fleet", "Models and members, their state and figures", "", "Any"),
    ("post", "/fleet/{name}/reset", "Opens a member or a group anew", "", "Any"),
)


def _responses(received: str, has_model: bool) -> Json:
    responses: Json = {"200": {"description": "The answer.", "content": _content(received)}}
    for status, what in _ANSWERS.items():
        if has_model or status == "401":
            responses[status] = {"description": what, "content": _content("Error")}
    return responses


def _content(schema: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _schemas() -> Json:
    text: Json = {"type": "string"}
    numbers: Json = {"type": "array", "items": {"type": "integer"}}
    parameters: Json = {"type": "object", "additionalProperties": {"type": ["boolean", "number", "string"]}}
    tensor: Json = {"name": text, "datatype": text, "shape": numbers}
    data: Json = {**tensor, "data": {"type": "array"}, "parameters": parameters}

    def record(required: list[str], **properties: Json) -> Json:
        return {"type": "object", "required": required, "properties": properties}

    def many(item: Json) -> Json:
        return {"type": "array", "items": item}

    return {
        "Any": {},
        "Error": record(["error"], error=text, reason=text, retry_after_ms={"type": "integer"}),
        "Metadata": record(
            ["name", "versions", "inputs", "outputs"], name=text, versions=many(text), platform=text,
            inputs=many(record(list(tensor), **tensor)), outputs=many(record(list(tensor), **tensor)),
        ),
        "InferRequest": record(
            ["inputs"], id=text, parameters=parameters, inputs=many(record(list(tensor), **data)),
            outputs=many(record(["name"], name=text, parameters=parameters)),
        ),
        "InferResponse": record(
            ["model_name", "outputs"], model_name=text, model_version=text, id=text, parameters=parameters,
            outputs=many(record(list(tensor), **data)),
        ),
        "Predict": record([], instances={"type": "array"}, inputs={}, signature_name=text),
    }  # fmt: skip
