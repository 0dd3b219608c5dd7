"""The OpenAPI document: FastAPI's own, plus the problems that every route may answer with."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from api.auth import NEED_A_KEY
from api.examples import problem_answer

PROBLEM_JSON = "application/problem+json"
WITH_A_KEY = {
    **problem_answer(401, "unauthorized", "A valid API key is needed."),
    **problem_answer(403, "forbidden", "This key lacks the scope."),
    **problem_answer(413, "payload_too_large", "The body is over the limit."),
    **problem_answer(503, "database_unavailable", "Try again after `Retry-After`."),
}
WITH_INPUT = problem_answer(422, "invalid_request", "The request is invalid; `errors` says where.")
WITH_A_BODY = {
    **problem_answer(400, "bad_request", "The body can't be decoded."),
    **problem_answer(408, "request_timeout", "The body did not arrive in time."),
}
STRING = {"type": "string"}
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `code` is for programs, `detail` a sentence for people.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": STRING,
        "status": {"type": "integer"},
        "detail": STRING,
        "code": STRING,
        "request_id": STRING,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {"pointer": STRING, "message": STRING},
            },
        },
    },
}


class DocumentedApi(FastAPI):
    """An application whose document lists every status of each operation, with errors as problem+json."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            _complete(super().openapi())
        return self.openapi_schema or {}


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for fastapis_own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(fastapis_own, None)
    schemas["Problem"] = PROBLEM
    for path, item in document["paths"].items():
        for operation in item.values():
            _complete_operation(path, operation)


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if PROBLEM_JSON not in responses.get("422", {}).get("content", {}):
        responses.pop("422", None)
    may_answer: dict[int | str, Any] = {}
    if path.startswith(NEED_A_KEY):
        may_answer |= WITH_A_KEY
    if operation.get("parameters") or "requestBody" in operation:
        may_answer |= WITH_INPUT
    if "requestBody" in operation:
        may_answer |= WITH_A_BODY
    for status, response in may_answer.items():
        responses.setdefault(str(status), response)
    for response in responses.values():
        if PROBLEM_JSON in response.get("content", {}):
            response["content"][PROBLEM_JSON]["schema"] = {"$ref": "#/components/schemas/Problem"}
