"""JSON as TensorFlow Serving reads it, shows it in errors and writes it: with NaN and Infinity.

orjson reads and writes plain JSON, quickest. What it does not take goes to RapidJSON, which
TensorFlow Serving is built on: values beyond plain JSON are read alike, and mistakes have the same
names and places.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

import numpy as np
import orjson
import rapidjson

from serving.model_server.status_error import StatusError, invalid_argument

_SHOWN_LENGTH = 256
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[\[\]{}]|[^\s,:\[\]{}"]+')
_PARSE_ERROR = re.compile(r"Parse error at offset (\d+): (.*)", re.DOTALL)
_AFTER_THE_END = "The document root must not be followed by other values."


def read_object(body: bytes) -> dict[str, Any]:
    """Read the JSON object of a request.

    Args:
        body: JSON text in UTF-8. Anything that follows the object is ignored.

    Raises:
        StatusError: The body is no JSON, or no object.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _read_leniently(body.removeprefix(codecs.BOM_UTF8))
    if not isinstance(document, dict):
        raise json_error(document, "Is not object")
    return document


def _read_leniently(body: bytes) -> Any:
    """Read a body as RapidJSON does, whatever comes after the first value."""
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    try:
        return rapidjson.loads(body, number_mode=rapidjson.NM_NAN | rapidjson.NM_NATIVE)
    except rapidjson.JSONDecodeError as error:
        found = _PARSE_ERROR.match(str(error))
        offset, mistake = (int(found[1]), found[2]) if found else (0, str(error))
        if mistake == _AFTER_THE_END and offset < len(body):
            return _read_leniently(body[:offset])
        # the binding's only change to RapidJSON's texts
        mistake = mistake.replace("']'", "]").replace("'}'", "}")
        raise invalid_argument(f"JSON Parse error: {mistake} at offset: {offset}") from error
    except UnicodeDecodeError as error:
        raise invalid_argument(
            f"JSON Parse error: Invalid encoding in string. at offset: {error.start}"
        ) from error
    except RecursionError as error:
        raise invalid_argument(
            "JSON Parse error: lists and objects are nested too deeply"
        ) from error


def json_error(value: Any, text: str) -> StatusError:
    """Return the error of a JSON value that is not as it should be."""
    return invalid_argument(f"JSON Value: {shown(value)} {text}")


def shown(value: Any) -> str:
    """Return a JSON value as errors show it, cut after the token that reaches 256 characters."""
    try:
        text = rapidjson.dumps(
            value, indent=4, write_mode=rapidjson.WM_SINGLE_LINE_ARRAY, ensure_ascii=False
        )
    except RecursionError:
        return "(nested too deeply to be shown)"
    if len(text) > _SHOWN_LENGTH:
        for token in _TOKEN.finditer(text):
            if token.end() >= _SHOWN_LENGTH:
                return text[: token.end()]
    return text


def write(document: Any) -> bytes:
    """Write JSON that may hold arrays.

    Each float has the fewest digits that read back as the same number in its precision.
    """
    text = orjson.dumps(document, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    if b"null" in text:  # what orjson makes of NaN and Infinity; nothing else here is null
        text = json.dumps(document, default=_plain, ensure_ascii=False).encode()
    return text


def _plain(value: np.ndarray | np.generic) -> Any:
    if value.dtype == np.float32:
        return np.asarray(value).astype(np.str_).astype(np.float64).tolist()
    return value.tolist()
