"""Data from which something was left out, and the paths of what is left.

An item of a list that is left out leaves a mark, so that the others keep their indices; a copy without the marks is
what the models read, and :class:`Origins` says where something of the copy stands in the data.
"""

from __future__ import annotations

from typing import Any

from kcompile.errors import Path

_LEFT_OUT: Any = object()


def without(data: Any, path: Path) -> Any:
    """A copy of the data without what stands at a path."""
    head, *rest = path
    if isinstance(data, tuple) and isinstance(head, int):
        child = without(data[head], tuple(rest)) if rest else _LEFT_OUT
        return (*data[:head], child, *data[head + 1 :])
    if rest:
        return {**data, head: without(data[head], tuple(rest))}
    return {key: value for key, value in data.items() if key != head}


def changed(data: Any, path: Path, value: Any) -> Any:
    """A copy of the data with a value at a path of keys."""
    head, *rest = path
    base = data if isinstance(data, dict) else {}
    return {**base, head: changed(base.get(head), tuple(rest), value) if rest else value}


def compacted(data: Any) -> Any:
    """The data without the marks of what was left out."""
    if isinstance(data, dict):
        return {key: compacted(value) for key, value in data.items()}
    if isinstance(data, tuple):
        return tuple(compacted(item) for item in data if item is not _LEFT_OUT)
    return data


def indices(data: Any) -> list[int]:
    """Of a list, where its items stand that were not left out."""
    return [index for index, child in enumerate(data) if child is not _LEFT_OUT] if isinstance(data, tuple) else []


class Origins:
    """Where marked data have what stands at a path of their compacted copy."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self._indices: dict[int, list[int]] = {}  # by the list's identity: asked for of each of its items

    def of(self, path: Path) -> Path:
        """The path in the marked data of a path in the copy, as far as it exists."""
        found: list[str | int] = []
        data = self._data
        for item in path:
            if isinstance(data, tuple) and isinstance(item, int):
                there = self._indices_of(data)
                if item >= len(there):
                    break
                found.append(there[item])
                data = data[there[item]]
            elif isinstance(data, dict) and item in data:
                found.append(item)
                data = data[item]
            else:
                break
        return tuple(found)

    def _indices_of(self, data: tuple[Any, ...]) -> list[int]:
        if id(data) not in self._indices:
            self._indices[id(data)] = indices(data)
        return self._indices[id(data)]
