# SPDX-License-Identifier: Apache-2.0
"""Why a value is not valid under a JSON Schema, in the words of the rule that it breaks.

The costs of a wrong value are those of its first few faults: of alternatives (`anyOf`) only those of
the value's own type are looked into, and one fault at a time. jsonschema takes 60 ms to import.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from gitprompt.core.document import pointer

if TYPE_CHECKING:
    from jsonschema import ValidationError

_KNOWN_TYPES = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}


class Fault(NamedTuple):
    """`message` begins with the place as a person writes it; `where` is the path of the value, or of
    the key that should not be there."""

    message: str
    hint: str
    where: tuple[str | int, ...]


def faults(schema: Mapping[str, Any], value: Any, *, limit: int) -> list[Fault]:
    """The first faults of a value, which is not valid: those that are found in a fraction of a second."""
    found: list[Fault] = []
    mistyped: set[tuple[str | int, ...]] = set()
    patience = _Patience(found)
    for failure in islice(_validator(schema, patience).iter_errors(value), limit):
        where = tuple(failure.absolute_path)
        if failure.validator in ("type", "anyOf"):
            if where in mistyped:
                continue
            mistyped.add(where)
        if failure.validator in ("additionalProperties", "propertyNames"):
            where = (*where, *_first_unknown(failure))
        found.append(Fault(*_sentence(failure, where), where))
    return found or [_FAR_AWAY]


_FAR_AWAY = Fault("the document is not valid, far from its beginning", "Validate it in parts.", ())


class _Patience:
    """Ends the search for faults: soon after the first was found, else after half a second."""

    def __init__(self, found: Sequence[Fault]) -> None:
        self._found = found
        self._begin = monotonic()

    @property
    def is_over(self) -> bool:
        return monotonic() - self._begin > (0.05 if self._found else 0.5)


def _validator(schema: Mapping[str, Any], patience: _Patience) -> Any:
    import jsonschema

    kind: Any = jsonschema.Draft7Validator
    rules: dict[str, Any] = {"items": partial(_items, patience)}
    if not str(schema.get("$schema", "")).startswith("http://json-schema.org/draft-07/"):
        kind = jsonschema.Draft202012Validator
        rules["anyOf"] = partial(_any_of, schema.get("$defs", {}))
    return jsonschema.validators.extend(kind, rules)(schema)  # type: ignore[no-untyped-call]


def _items(
    patience: _Patience, validator: Any, items: Any, value: Any, _schema: Any
) -> Iterator[ValidationError]:
    """As JSON Schema has it, but for tuples, which no schema of ours uses."""
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if patience.is_over:
            return
        yield from validator.descend(item, items, path=index)


def _any_of(
    definitions: Mapping[str, Any], validator: Any, branches: Any, value: Any, _schema: Any
) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    kinds = [_types(definitions, branch) for branch in branches]
    ours = [
        branch
        for branch, types in zip(branches, kinds, strict=True)
        if not types or any(validator.is_type(value, name) for name in types)
    ]
    if not ours:
        types = [name for types in kinds for name in types]
        yield ValidationError(f"expected {_listed(types)}")
        return
    if not any(validator.evolve(schema=branch).is_valid(value) for branch in ours[1:]):
        yield from validator.descend(value, ours[0])


def _types(definitions: Mapping[str, Any], branch: Any) -> list[str]:
    """The types that a branch of alternatives takes; none: any."""
    branch = definitions.get(str(branch.get("$ref", "")).removeprefix("#/$defs/"), branch)
    types = branch.get("type", [])
    if not types and "const" in branch:
        return [_type_name(branch["const"])]
    return [types] if isinstance(types, str) else list(types)


def _sentence(failure: ValidationError, where: tuple[str | int, ...]) -> tuple[str, str]:
    """Message and hint for a person; `at` is the place as they would write it."""
    at = pointer(where) or "the document"
    value: Any = failure.instance
    rule: Any = failure.validator_value
    match failure.validator:
        case "required":
            missing = next(key for key in rule if failure.message.startswith(repr(key)))
            return f"{at}: '{missing}' is required", _description(failure, missing)
        case "type":
            hint = ""
            if where[-1:] == ("version",) and isinstance(value, int | float):
                hint = 'Quote it: version: "1.10". Unquoted, YAML reads 1.10 as the number 1.1.'
            elif rule == "string" and isinstance(value, int | float | bool):
                hint = "Quote it."
            return f"{at}: expected {_listed(rule)}, found {_type_name(value)}", hint
        case "anyOf":
            return f"{at}: {failure.message}, found {_type_name(value)}", ""
        case "enum":
            return f"{at}: {short(value)} is not one of {', '.join(map(str, rule))}", ""
        case "additionalProperties":
            allowed = ", ".join(_properties(failure))
            return f"{at}: unknown key", f"Known keys: {allowed}."
        case "pattern" if where[-1:] == ("version",):
            hint = (
                "Use MAJOR.MINOR.PATCH or a pre-release such as 2.0.0-rc.1, without build metadata."
            )
            return f"{at}: {short(value)} is not a semantic version", hint
        case "pattern" if rule == "^[^\\u0000]*$":
            return f"{at}: it has the character U+0000", "Leave it out."
        case "pattern":
            schema: Any = failure.schema
            form = schema.get("$comment") or schema.get("description") or rule
            shown = short(value) or "''"
            return f"{at}: {shown} is not of the form {form}", ""
        case "minLength" | "minItems":
            return f"{at} is empty" if rule == 1 else f"{at} has less than {rule}", ""
        case "maxLength" | "maxItems" | "maxProperties":
            return f"{at} has {len(value)} entries or characters; at most {rule} are allowed", ""
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            bound = _BOUNDS[failure.validator]
            return f"{at}: {short(value)} is not {bound} {rule}", ""
    return f"{at}: {short(failure.message)}", ""


_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


def _listed(types: Any) -> str:
    names = dict.fromkeys([types] if isinstance(types, str) else types)
    words = ["nothing" if name == "null" else name for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _first_unknown(failure: ValidationError) -> tuple[str, ...]:
    if failure.validator == "propertyNames":
        return (str(failure.instance),) if isinstance(failure.instance, str) else ()
    properties = _properties(failure)
    value: Any = failure.instance
    return tuple(key for key in value if key not in properties)[:1]


def _properties(failure: ValidationError) -> dict[str, Any]:
    schema: Any = failure.schema
    properties: dict[str, Any] = schema.get("properties", {})
    return properties


def _description(failure: ValidationError, key: str) -> str:
    return str(_properties(failure).get(key, {}).get("description", ""))


def _type_name(value: Any) -> str:
    return "nothing" if value is None else _KNOWN_TYPES.get(type(value), "object")


def short(value: Any) -> str:
    """A value in at most 80 characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "…"
