"""One instance of a JSON schema, chosen by a seed.

Covers what structured outputs and tool definitions use: objects, arrays, enums, constants,
unions, references into `$defs`, bounds and formats. Optional properties are filled in, nested ones
only to a fixed depth, so that recursive schemas end.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from membench.domain.labels import JsonObject, JsonView

DEPTH = 6
FORMATS = {
    "date-time": "2023-05-08T13:56:00Z",
    "date": "2023-05-08",
    "time": "13:56:00Z",
    "email": "scripted@example.org",
    "uri": "https://example.org/scripted",
    "uuid": "00000000-0000-4000-8000-000000000000",
}

Schema = JsonView


@dataclass(frozen=True)
class _Maker:
    """Builds one instance: the root for references, a seed, and words for strings."""

    root: Schema
    seed: str
    words: Sequence[str]

    def make(self, schema: Any, path: str, depth: int) -> Any:
        """An instance of `schema`, at `path` of the document."""
        if not isinstance(schema, Mapping):
            return self._string({}, path)
        if "$ref" in schema:
            return self.make(self._target(schema["$ref"]), path, depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._pick(schema["enum"], path)
        for union in ("anyOf", "oneOf"):
            if schema.get(union):
                return self.make(self._branch(schema[union], path, depth), path, depth)
        if schema.get("allOf"):
            return self.make(_joined(schema, self._target), path, depth)
        return self._typed(self._type(schema, path), schema, path, depth)

    def _typed(self, kind: str, schema: Schema, path: str, depth: int) -> Any:
        """An instance of a schema whose type is known."""
        match kind:
            case "object":
                return self._object(schema, path, depth)
            case "array":
                return self._array(schema, path, depth)
            case "integer" | "number":
                return self._number(schema, path, kind)
            case "boolean":
                return self._draw(path, 2) == 1
            case "null":
                return None
        return self._string(schema, path)

    def _type(self, schema: Schema, path: str) -> str:
        """The type to build; of several, one that is not null."""
        kind = schema.get("type")
        if isinstance(kind, list):
            return str(self._pick([name for name in kind if name != "null"] or ["null"], path))
        if isinstance(kind, str):
            return kind
        if "properties" in schema:
            return "object"
        return "array" if "items" in schema else "string"

    def _object(self, schema: Schema, path: str, depth: int) -> JsonObject:
        """Required properties always; optional ones while not too deep."""
        properties: JsonView = schema.get("properties") or {}
        required = schema.get("required") or ()
        names = required if depth > DEPTH else [*properties, *(set(required) - set(properties))]
        return {
            name: self.make(properties.get(name, {}), f"{path}.{name}", depth + 1) for name in names
        }

    def _array(self, schema: Schema, path: str, depth: int) -> list[Any]:
        """One item, more if the schema wants more, none when too deep."""
        if "prefixItems" in schema:
            items = enumerate(schema["prefixItems"])
            return [self.make(item, f"{path}[{i}]", depth + 1) for i, item in items]
        least = int(schema.get("minItems", 0))
        size = least if depth > DEPTH else max(least, min(1, int(schema.get("maxItems", 1))))
        item = schema.get("items", {})
        return [self.make(item, f"{path}[{i}]", depth + 1) for i in range(size)]

    def _number(self, schema: Schema, path: str, kind: str) -> float | int:
        """A number inside the bounds, whole where asked for."""
        step = schema.get("multipleOf", 1)
        low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
        high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
        if low == -math.inf:
            low = min(0, high - step * 4) if high < math.inf else 0
        first = math.ceil(low / step)
        if first * step == schema.get("exclusiveMinimum"):
            first += 1
        last = math.floor(high / step) if high < math.inf else first + 4
        if last * step == schema.get("exclusiveMaximum"):
            last -= 1
        if last < first:
            return float(low + high) / 2
        value: float = (first + self._draw(path, last - first + 1)) * step
        return int(value) if kind == "integer" else value

    def _string(self, schema: Schema, path: str) -> str:
        """A date or the like by format, else one of the words, within the length bounds."""
        form = schema.get("format")
        if form in FORMATS:
            return FORMATS[form]
        text = str(self._pick(self.words, path)) if self.words else "scripted"
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        if len(text) < least:
            text += "." * (least - len(text))
        return text if most is None else text[: int(most)]

    def _branch(self, branches: Sequence[Any], path: str, depth: int) -> Any:
        """A branch of a union: a real value, or null when too deep."""
        nulls = [branch for branch in branches if _is_null(branch)]
        if depth > DEPTH and nulls:
            return nulls[0]
        real = [branch for branch in branches if not _is_null(branch)]
        simple = [b for b in real if not (isinstance(b, Mapping) and "$ref" in b)]
        return self._pick((simple if depth > DEPTH and simple else real) or branches, path)

    def _target(self, reference: str) -> Any:
        """What a `#/...` reference points at."""
        target: Any = self.root
        for part in reference.lstrip("#").strip("/").split("/"):
            if part:
                target = target[part.replace("~1", "/").replace("~0", "~")]
        return target

    def _pick(self, options: Sequence[Any], path: str) -> Any:
        """One of the options, by seed and place."""
        return options[self._draw(path, len(options))]

    def _draw(self, path: str, size: int) -> int:
        """A number below `size`, by seed and place."""
        digest = hashlib.blake2b(f"{self.seed}\0{path}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % size


def _is_null(branch: Any) -> bool:
    """Whether a union branch only allows null."""
    return isinstance(branch, Mapping) and branch.get("type") == "null"


def _joined(schema: Schema, target: Any) -> JsonObject:
    """A schema with its `allOf` parts merged into it."""
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        whole = target(part["$ref"]) if "$ref" in part else part
        for key, value in whole.items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, ()), *value]
            else:
                merged.setdefault(key, value)
    return merged


def instance(schema: Schema, seed: str = "", words: Sequence[str] = ()) -> Any:
    """A JSON value that satisfies a schema, the same for the same arguments.

    Args:
        schema: A JSON schema (the keywords named in the module's docstring).
        seed: Decides between alternatives.
        words: Texts to fill free strings with; `"scripted"` without any.

    Returns:
        Plain JSON data.
    """
    return _Maker(schema, seed, words).make(schema, "$", 0)
