"""The JSON schema of the cluster spec, from its models and their docstrings."""

from __future__ import annotations

import ast
import inspect
import json
from typing import Any

from kcompile import spec

_ID = "https://kcompile.dev/schemas/cluster.schema.json"


def _field_docs() -> dict[str, dict[str, str]]:
    """The string that stands below each field, by model and field."""
    docs: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(spec)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        own = docs.setdefault(node.name, {})
        for field, below in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                own[field.target.id] = inspect.cleandoc(str(below.value.value))
    return docs


def cluster_schema() -> str:
    """The schema as JSON text."""
    schema: dict[str, Any] = spec.Cluster.model_json_schema(by_alias=True)
    docs = _field_docs()
    models = {**schema["$defs"], "Cluster": schema}
    for name, definition in models.items():
        model = getattr(spec, name, None)
        if model is None:
            continue
        for base in reversed(model.__mro__):
            for field, text in docs.get(base.__name__, {}).items():
                if field in model.model_fields:
                    alias = model.model_fields[field].alias or field
                    definition["properties"][alias]["description"] = text
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": _ID}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"
