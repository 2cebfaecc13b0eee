"""Replacing parts of a client library, and putting every one of them back.

``instrument()`` of an integration keeps one ``Patches``; ``uninstrument()`` undoes it. Methods are replaced
on their class, so that classes imported or subclassed earlier are covered too. A class that cannot be
changed (one written in C) is replaced by a subclass of ours wherever a module holds it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from tracing.guard import guarded


class Patches:
    """What one ``instrument()`` has changed."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        return bool(self._undo)

    def method(self, owner: type, name: str, make: Callable[[Any], Any]) -> None:
        """Put ``make(original)`` in the place of a method of the class."""
        own = vars(owner).get(name)
        original = getattr(owner, name)
        setattr(owner, name, make(original))
        self._undo.append(lambda: setattr(owner, name, own) if own is not None else delattr(owner, name))

    def everywhere(self, original: type, ours: type, *, leave: str = "") -> None:
        """Put our class in every place of every loaded module that holds the original one.

        Modules of this package keep the original: they are made from it. So does the module that defines
        it, whose own ``super(Client, self)`` means the original, and those with ``leave`` in their name.
        """
        for module in list(sys.modules.values()):
            if not isinstance(module, ModuleType) or module.__name__.partition(".")[0] == "tracing":
                continue
            if module.__name__ == original.__module__ or (leave and leave in module.__name__):
                continue
            with guarded("instrument"):
                for name, value in list(vars(module).items()):
                    if value is original:
                        setattr(module, name, ours)
                        self._undo.append(_back(module, name, original, ours))

    def derived(self, ours: type, told: Mapping[str, Any], *, leave: str = "") -> None:
        """Put a class made from ours, with these attributes, in every place of the client's class it extends."""
        original = next(one for one in ours.__mro__[1:] if one.__module__.partition(".")[0] != __package__)
        made = type(original.__name__, (ours,), {**told, "__module__": original.__module__})
        self.everywhere(original, made, leave=leave)

    def undo(self) -> None:
        """Put everything back, last first."""
        while self._undo:
            with guarded("uninstrument"):
                self._undo.pop()()


def _back(module: ModuleType, name: str, original: type, ours: type) -> Callable[[], None]:
    def back() -> None:
        if getattr(module, name, None) is ours:
            setattr(module, name, original)

    return back
