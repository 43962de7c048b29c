"""What a check goes by: where that is wrong, the check has nothing true to say.

A spec with faults is still looked at as a whole, with what is wrong left out of it or with something in its place.
A rule that compared with that would report what nobody wrote. So a rule looks at a :class:`View` of such a cluster,
which keeps in mind what was read that is wrong; nobody has to say so, and so nobody can forget it. What it cannot see
is what a rule counts or looks for in a list that lacks something: that, a rule says with :func:`needs`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from kcompile import marked
from kcompile.errors import Path

_Check = TypeVar("_Check", bound=Callable[..., Any])
_Model = TypeVar("_Model", bound=BaseModel)
_ANY = None
_NEEDS: dict[Callable[..., Any], tuple[tuple[str | None, ...], ...]] = {}


def needs(*paths: str) -> Callable[[_Check], _Check]:
    """Mark a check with the lists whose every item it goes by: ``spec.nodePools[].nodes[]``.

    Not the one that it reports: of a field that is wrong, that alone is reported anyway.
    """
    parsed = tuple(
        tuple(_ANY if step == "[]" else step for step in path.replace("[]", ".[]").split(".")) for path in paths
    )

    def checked(check: _Check) -> _Check:
        _NEEDS[check] = parsed
        return check

    return checked


def can_speak(check: Callable[..., Any], wrong: Collection[Path]) -> bool:
    """Whether what a check goes by is right, and so is all that it stands in."""
    return not any(_holds(path, needed) for needed in _NEEDS.get(check, ()) for path in wrong)


def _holds(path: Path, needed: tuple[str | None, ...]) -> bool:
    return len(path) <= len(needed) and all(b is _ANY or a == b for a, b in zip(path, needed, strict=False))


class View(Generic[_Model]):
    """A model of data in which some values are wrong, for one check, and which of those the check has read.

    ``data`` are marked: the model is made of them compacted. Paths are those of the data.
    """

    def __init__(self, model: _Model, data: Any, wrong: Iterable[Path]) -> None:
        self._wrong = frozenset(wrong)
        self._above = {path[:length] for path in self._wrong for length in range(len(path))}
        self._read: set[Path] = set()
        self._model, self._data = model, data

    def seen(self) -> _Model:
        """The model as a check is to see it that begins now: what was read before is forgotten."""
        self._read = set()
        seen: _Model = self._seen(self._model, self._data, ())
        return seen

    def is_blind(self, path: Path) -> bool:
        """Whether what the check says of a place goes by something wrong that it has read since it began.

        What it has read of another item of a list does not count: a check goes from item to item.
        """
        return any(not _are_neighbours(path, read) for read in self._read)

    def _seen(self, value: Any, data: Any, path: Path) -> Any:
        """A value at a path, read: as it is, or with what is wrong below it watched."""
        if path in self._wrong:
            self._read.add(path)
        if path not in self._above:
            return value
        if isinstance(value, BaseModel):
            return _Watched(self, value, data, path)
        if isinstance(value, dict):
            return _WatchedMapping(self, value, data, path)
        if isinstance(value, tuple):
            there = marked.indices(data)
            pairs = zip(there, value, strict=True) if len(there) == len(value) else ()  # one that stands for a list
            return tuple(self._seen(item, data[index], (*path, index)) for index, item in pairs) if pairs else value
        return value

    def child(self, value: Any, data: Any, path: Path, name: str) -> Any:
        """What stands at a name of a value at a path."""
        return self._seen(value, data.get(name) if isinstance(data, dict) else None, (*path, name))


def _are_neighbours(one: Path, other: Path) -> bool:
    """Whether two paths part at the items of one list."""
    for first, second in zip(one, other, strict=False):
        if first != second:
            return isinstance(first, int) and isinstance(second, int)
    return False


class _Watched:
    """Stands in a model's place, and tells the view what is read of it."""

    __slots__ = ("_at", "_model", "_view")

    def __init__(self, view: View[Any], model: BaseModel, data: Any, path: Path) -> None:
        self._view, self._model, self._at = view, model, (data, path)

    __class__ = property(lambda self: type(self._model))  # for isinstance

    def __getattr__(self, name: str) -> Any:
        model = type(self._model)
        info = model.model_fields.get(name)
        if info is not None:
            return self._view.child(getattr(self._model, name), *self._at, info.alias or name)
        found = getattr(model, name)
        return found.__get__(self) if isinstance(found, property) else getattr(self._model, name)


class _WatchedMapping(dict[str, Any]):
    """The same of a mapping: what is looked up in it, by its key."""

    def __init__(self, view: View[Any], mapping: dict[str, Any], data: Any, path: Path) -> None:
        super().__init__(mapping)
        self._view, self._at = view, (data, path)

    def __contains__(self, key: object) -> bool:
        self._view.child(None, *self._at, str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        return self._view.child(super().__getitem__(key), *self._at, key)

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict."""
        return self._view.child(super().get(key, default), *self._at, key)
