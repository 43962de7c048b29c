"""The JSON schema of the cluster spec (draft 2020-12), from its models, their docstrings and the grammars of names.

It accepts whatever the models accept, and little more: a pattern is its check wherever regular expressions of ECMA-262
can say so (there is no lookbehind in them, for the editors that lack it). What they cannot say stands in
``tests/test_schema.py``. ``patternErrorMessage`` is what yaml-language-server shows in a pattern's place.
"""

from __future__ import annotations

import ast
import inspect
import json
import types
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kcompile import configuration_fields, load, spec
from kcompile.configuration_meanings import DEFAULTS, EXAMPLES, MEANINGS

Schema = dict[str, Any]

_ID = "https://kcompile.dev/schemas/cluster.schema.json"
_EXAMPLE = "Example: "

# --- patterns ---------------------------------------------------------------------------------------

_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_PART = "(?![-a-z0-9]{64})[a-z0-9]+(?:-+[a-z0-9]+)*"
_SUBDOMAIN = rf"{_PART}(?:\.{_PART})*"
"""In labels that are repeated no two loops take the same character: engines that backtrack stay linear."""
_NAME = "[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_CONTROL = r"\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
_SEGMENT = rf"(?!\.{{1,2}}(?:/|$))[^/{_CONTROL}]+"
_HOST_SEGMENT = rf"(?!\.{{1,2}}(?:/|$))[^/${_CONTROL}]+"
_SPACE = r"[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*"
"""What Python strips from the ends of a string, where the models do."""
_PORT = "0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_OCTET = "(?:25[0-5]|(?:2[0-4]|1[0-9]|[1-9])?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"


def _ipv6(group: str) -> str:
    """IPv6 addresses of groups of hexadecimal digits: eight of them, or fewer about one ``::``."""
    some = f"{group}(?::{group})*"
    return f"(?:{group}:){{7}}{group}|(?!:{{0,2}}(?:{group}:{{1,2}}){{7}}{group})(?:{some})?::(?:{some})?"


_HEX = "[0-9A-Fa-f]{1,4}"
_ANY_IPV6 = (
    f"(?:{_ipv6(_HEX)}|(?:{_HEX}:){{6}}{_IPV4}"
    f"|(?!:{{0,2}}(?:{_HEX}:{{1,2}}){{6}})(?:{_HEX}(?::{_HEX})*)?::(?:{_HEX}:)*{_IPV4})"
)
_IPV6 = f"(?:{_ipv6('(?:0|[1-9a-f][0-9a-f]{0,3})')})"
"""Without upper case and leading zeros; that the longest run of zeros is the one left out cannot be said."""
_DNS_NAME = rf"(?![0-9.]+(?::|$))(?=[^:]{{1,253}}(?::|$)){_SUBDOMAIN}"
_ANY_CASE_DNS_NAME = _DNS_NAME.replace("a-z", "A-Za-z")
_HOST_PORT = rf"(?:{_IPV4}|\[{_ANY_IPV6}\]|{_DNS_NAME})(?::{_PORT})?"
_MONTH_AND_DAY = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))"
)
_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00|[0-9]{4}(?!-02-29))"
_TIME_OF_DAY = "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_DURATION = r"(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+"
_QUANTITY = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3}|[KMGTPE]i|[numkMGTPE])?"


def _pair(first: str, second: str) -> str:
    """One of two forms, or one of each, separated by a comma."""
    more = f"{_SPACE},{_SPACE}"
    return f"^{_SPACE}(?:{first}(?:{more}{second})?|{second}(?:{more}{first})?){_SPACE}$"


def _text(pattern: str, message: str, **more: int) -> Schema:
    return {"type": "string", "pattern": pattern, "patternErrorMessage": f"must be {message}", **more}


_AGE = "age1[02-9ac-hj-np-z]{58}"
_SSH = r"ssh-(?:ed25519|rsa) [A-Za-z0-9+/]+={0,2}(?: (?:[^\n]*[^\s])?)?"
_CHECKS: dict[str, Schema] = {
    "absolute_path": _text(
        f"^(?:/{_HOST_SEGMENT})+$", "a clean absolute path: without '.', '..', '//', '$' or a final '/'"
    ),
    "address_list": _text(
        _pair(_IPV4, _IPV6), "an address such as 10.0.0.11 or fd00::11, or one of each family separated by a comma"
    ),
    "age_recipient": _text(
        f"^(?:{_AGE}|{_SSH})$",
        "a recipient: age1…, ssh-ed25519 AAAA… or ssh-rsa AAAA…",
    ),
    "cluster_name": _text(f"^{_LABEL}$", "an RFC 1123 label: lower-case letters, digits and '-', 63 at most"),
    "cri_socket": _text(
        rf"""^unix:///[^{_CONTROL} "'\\$`]*$""", "a socket such as unix:///run/containerd/containerd.sock"
    ),
    "dns_subdomain": _text(
        f"^{_SUBDOMAIN}$",
        "a DNS name: lower-case letters, digits, '-' and '.', beginning and ending with a letter or a digit",
        maxLength=253,
    ),
    "duration": _text(
        rf"^(?=.*[1-9])\+?{_DURATION}$", "a positive duration in hours, minutes and seconds, for example 8760h"
    ),
    "endpoint": _text(
        f"^(?:{_ANY_IPV6}|{_HOST_PORT})$", "name:port, 10.0.0.10:6443 or [fd00::10]:6443; the port is optional"
    ),
    "env_name": _text("^[-._A-Za-z][-._A-Za-z0-9]*$", "a variable's name: letters, digits, '-', '_' and '.'"),
    "env_value": _text(f"^(?:[^{_CONTROL}]|\\n)*$", "a text without control characters but tabs and line breaks"),
    "flag_name": _text("^[A-Za-z0-9][A-Za-z0-9.-]*$", "a flag's name without its dashes, with '-' between its words"),
    "free_text": _text(f"^[^{_CONTROL}]*$", "one line, without control characters and without a secret"),
    "image_repository": _text(
        "^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$",
        "a registry with an optional path, without a tag, such as registry.example.com/path",
    ),
    "image_tag": _text("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", "an image's tag"),
    "kubernetes_version": _text(
        r"^v1\.(?:0|[1-9][0-9]{0,3})\.(?:0|[1-9][0-9]{0,3})$", "a version of Kubernetes such as v1.36.2"
    ),
    "label_key": _text(
        f"^(?:(?=[^/]{{1,253}}/){_SUBDOMAIN}/)?{_NAME}$", "a label's key: name or prefix.example.com/name"
    ),
    "label_value": _text(f"^(?:{_NAME})?$", "a label's value: letters, digits, '-', '_' and '.', 63 at most"),
    "one_line": _text(f"^[^{_CONTROL}]*$", "one line, without control characters"),
    "relative_path": _text(
        f"^{_SEGMENT}(?:/{_SEGMENT})*$", "a path below the spec's directory: relative, without '.' and '..'"
    ),
    "subject_alt_name": _text(
        rf"^(?:{_IPV4}|{_ANY_IPV6}|(?:\*\.)?{_ANY_CASE_DNS_NAME})$",
        "an IP address or a DNS name, which may begin with '*.'",
    ),
    "subnet_list": _text(
        _pair(f"{_IPV4}/(?:3[0-2]|[12]?[0-9])", f"{_IPV6}/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])"),
        "a CIDR range such as 10.244.0.0/16, or one of each family separated by a comma",
    ),
    "taint_effect": {"type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
    "timestamp": _text(
        f"^(?=19[7-9]|[2-8])(?={_LEAP})[0-9]{{4}}-{_MONTH_AND_DAY}{_TIME_OF_DAY}Z$",
        "a UTC timestamp in whole seconds, from 1970 to 8999, such as 2026-11-23T00:00:00Z",
    ),
    "token_group": _text(
        "^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$", "a group that begins with system:bootstrappers:"
    ),
    "token_id": _text("^[a-z0-9]{6}$", "the six characters before the '.' of a token"),
    "url": _text(f"^https?://{_HOST_PORT}$", "an etcd endpoint such as https://10.0.0.1:2379"),
}
"""What the checks of ``names`` mean to an editor."""

# --- Kubernetes' component configurations -----------------------------------------------------------

_GO: dict[str, Schema] = {
    "string": {"type": ["string", "null"]},
    "bool": {"type": ["boolean", "null"]},
    "int32": {"type": ["integer", "null"], "minimum": -(2**31), "maximum": 2**31 - 1},
    "int64": {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1},
    "uint32": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**32 - 1},
    "float32": {"type": ["number", "null"], "minimum": -3.4028234663852886e38, "maximum": 3.4028234663852886e38},
    "float64": {"type": ["number", "null"]},
    "Duration": {
        "type": ["string", "null"],
        "pattern": f"^[-+]?(?:0|{_DURATION})$",
        "patternErrorMessage": "must be a duration such as 10s",
    },
    "TimeOrMetaDuration": {
        "type": ["string", "integer", "null"],
        "pattern": f"^[-+]?(?:0|{_DURATION})$",
        "patternErrorMessage": "must be a duration such as 10s, or a whole number of nanoseconds",
        "minimum": -(2**63),
        "maximum": 2**63 - 1,
    },
    "Quantity": {
        "type": ["string", "number", "null"],
        "pattern": f"^{_QUANTITY}$",
        "patternErrorMessage": "must be a quantity such as 1Gi",
    },
    "Time": {
        "type": ["string", "null"],
        "pattern": rf"^(?!0000)(?={_LEAP})[0-9]{{4}}-{_MONTH_AND_DAY}{_TIME_OF_DAY}"
        r"(?:\.[0-9]+)?(?:Z|[-+](?:[01][0-9]|2[0-3]):[0-5][0-9])$",
        "patternErrorMessage": "must be a time such as 2026-11-23T00:00:00Z",
    },
}
"""What Go's scalar types mean to an editor. null leaves a field as it is defaulted."""
_CONFIGURATIONS = {"kubelet": "KubeletConfiguration", "kube_proxy": "KubeProxyConfiguration"}
"""Fields of the spec that hold a component's configuration."""
_REFERENCES = {
    "KubeletConfiguration": "https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/",
    "KubeProxyConfiguration": "https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/",
}


def _words(struct: str, field: str, go: str) -> Schema:
    """The description of a field, its default and an example, as far as they are known."""
    place = next((kind for kind in _REFERENCES if kind == struct), None)
    where = f"; its meaning is at {_REFERENCES[place]}" if place else ", part of a component's configuration"
    known = MEANINGS.get(struct, {}).get(field)
    found: Schema = {"description": known or f"{field}, of Go's type {go}: passed on as it is{where}."}
    if field in DEFAULTS.get(struct, {}):
        found["default"] = DEFAULTS[struct][field]
    if field in EXAMPLES.get(struct, {}):
        found["examples"] = [EXAMPLES[struct][field]]
    return found


def _struct_name(struct: str) -> str:
    return struct if struct in _REFERENCES else f"config.{struct}"


def _go_type(go: str) -> Schema:
    if go.startswith("[]"):
        return {"type": ["array", "null"], "items": _go_type(go.removeprefix("[]"))}
    if go.startswith("map[string]"):
        return {"type": ["object", "null"], "additionalProperties": _go_type(go.removeprefix("map[string]"))}
    return dict(_GO[go]) if go in _GO else {"$ref": f"#/$defs/{_struct_name(go)}"}


def _configurations() -> Iterator[tuple[str, Schema]]:
    """The definitions of Go's structs. What they do not know is allowed: the tool only warns about it."""
    for struct, fields in configuration_fields.structs().items():
        reference = _REFERENCES.get(struct)
        where = f", described at {reference}" if reference else ", part of a component's configuration"
        properties = {name: {**_words(struct, name, go), **_go_type(go)} for name, go in sorted(fields.items())}
        kind = "object" if reference else ["object", "null"]
        description = f"{struct} of Kubernetes{where}."
        yield (
            _struct_name(struct),
            {"description": description, "type": kind, "properties": properties, "additionalProperties": True},
        )


# --- models -----------------------------------------------------------------------------------------


@cache
def _docstrings() -> dict[tuple[str, str], tuple[str, list[Any]]]:
    """The description of each field and its examples, from the string that stands below it, by model and field."""
    found: dict[tuple[str, str], tuple[str, list[Any]]] = {}
    for node in ast.parse(inspect.getsource(spec)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, below in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                text = " ".join(str(below.value.value).split())
                description, *examples = text.split(f" {_EXAMPLE}")
                values = [plain(load.parse("example", example.encode()).data) for example in examples]
                found[node.name, field.target.id] = description, values
    return found


def _documented(model: type[BaseModel], field: str) -> Schema:
    """The description of a model's field and its examples."""
    for base in model.__mro__:
        if (base.__name__, field) in _docstrings():
            description, examples = _docstrings()[base.__name__, field]
            return {"description": description, "examples": examples}
    raise LookupError(f"{model.__name__}.{field} has no docstring")


def plain(value: object) -> Any:
    """A value of a document or a model as JSON has it. A model's fields that are None are left out."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        pairs = ((info.alias or name, getattr(value, name)) for name, info in fields)
        return {name: plain(child) for name, child in pairs if child is not None}
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    return [plain(child) for child in value] if isinstance(value, tuple | list) else value


def _first(metadata: tuple[Any, ...], attribute: str) -> Any:
    """A bound among the marks of an annotation."""
    return next((getattr(mark, attribute) for mark in metadata if hasattr(mark, attribute)), None)


def _type(annotation: Any, metadata: tuple[Any, ...], definitions: dict[str, Schema]) -> Schema:
    """The schema of an annotation. The models that it names are added to the definitions."""
    if hasattr(annotation, "__metadata__"):
        return _type(annotation.__origin__, annotation.__metadata__, definitions)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return _nullable(_type(arguments[0], (), definitions))
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)} if len(arguments) > 1 else {"const": arguments[0]}
    if origin is dict:
        keys, values = (_type(argument, (), definitions) for argument in arguments)
        names = {name: value for name, value in keys.items() if name != "type"}
        found: Schema = {"type": "object", "additionalProperties": values or True}
        return {**found, "propertyNames": names} if names else found
    if origin is tuple:
        items, smallest = _type(arguments[0], (), definitions), _first(metadata, "min_length")
        found = {"type": "array", "items": items, **({"minItems": smallest} if smallest else {})}
        return {"anyOf": [items, found]} if _first(metadata, "func") is spec.one_or_many else found
    if annotation is str:
        check = _first(metadata, "func")
        return dict(_CHECKS[check.__name__]) if check else {"type": "string"}
    if annotation is int:
        return {"type": "integer", "minimum": _first(metadata, "ge"), "maximum": _first(metadata, "le")}
    if annotation in (bool, Any):
        return {"type": "boolean"} if annotation is bool else {}
    if annotation.__name__ not in definitions:
        definitions[annotation.__name__] = _model(annotation, definitions)
    return {"$ref": f"#/$defs/{annotation.__name__}"}


def _nullable(schema: Schema) -> Schema:
    """A schema that takes null, too."""
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    values = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **values}


def _property(model: type[BaseModel], name: str, info: FieldInfo, definitions: dict[str, Schema]) -> Schema:
    configuration = _CONFIGURATIONS.get(name)
    schema = (
        {"$ref": f"#/$defs/{configuration}"}
        if configuration
        else _type(info.annotation, tuple(info.metadata), definitions)
    )
    documented = _documented(model, name)
    default = {} if info.is_required() or info.default is None else {"default": plain(info.default)}
    return {"description": documented["description"], **schema, **default, "examples": documented["examples"]}


def _model(model: type[BaseModel], definitions: dict[str, Schema]) -> Schema:
    fields = {info.alias or name: (name, info) for name, info in model.model_fields.items()}
    required = [alias for alias, (_, info) in fields.items() if info.is_required()]
    return {
        "description": inspect.cleandoc(model.__doc__ or ""),
        "type": "object",
        "properties": {alias: _property(model, name, info, definitions) for alias, (name, info) in fields.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def document() -> Schema:
    """The schema as JSON has it."""
    definitions: dict[str, Schema] = {}
    root = _model(spec.Cluster, definitions)
    definitions |= _configurations()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": _ID}
    return {**head, **root, "$defs": dict(sorted(definitions.items()))}


def cluster_schema() -> str:
    """The schema as JSON text."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
