from __future__ import annotations

import sys
from types import ModuleType

import pytest

from tracing.patching import Patches


class Client:
    def send(self) -> str:
        return "sent"


ORIGINAL = [Client]  # in a list, where nothing replaces it


class Traced(Client):
    told = "nothing"

    def send(self) -> str:
        return f"traced {super().send()}"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("some_application")
    made.Imported = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "some_application", made)
    return made


def test_a_method_is_replaced_also_for_classes_derived_earlier_and_put_back() -> None:
    class Derived(Client):
        pass

    patches = Patches()
    patches.method(Client, "send", lambda original: lambda self: f"patched {original(self)}")
    assert "patched sent" == Derived().send()
    patches.undo()
    assert "sent" == Derived().send()


def test_a_method_that_was_inherited_is_taken_away_again() -> None:
    class Derived(Client):
        pass

    patches = Patches()
    patches.method(Derived, "send", lambda original: lambda self: "patched")
    patches.undo()
    assert "send" not in vars(Derived)


def test_a_class_is_replaced_wherever_a_module_has_imported_it(module: ModuleType) -> None:
    patches = Patches()
    patches.derived(Traced, {"told": "more"})
    assert patches
    assert "traced sent" == module.Imported().send()
    assert ("Client", "more") == (module.Imported.__name__, module.Imported.told)
    assert isinstance(module.Imported(), Client)
    patches.undo()
    assert Client is module.Imported
    assert not patches


def test_what_the_application_replaced_in_between_is_left_as_it_is(module: ModuleType) -> None:
    patches = Patches()
    patches.derived(Traced, {})
    module.Imported = int  # type: ignore[attr-defined]
    patches.undo()
    assert int is module.Imported


def test_modules_named_to_be_left_keep_the_original(module: ModuleType) -> None:
    patches = Patches()
    patches.derived(Traced, {}, leave="some_app")
    assert ORIGINAL[0] is module.Imported
    patches.undo()


def test_the_module_that_defines_a_class_keeps_it_for_its_own_super(monkeypatch: pytest.MonkeyPatch) -> None:
    home = ModuleType("some_client")
    exec(  # noqa: S102  a client library in a few lines
        "class Client:\n    pass\nclass Special(Client):\n    def send(self):\n        return super(Special, self).__init__()",
        vars(home),
    )
    monkeypatch.setitem(sys.modules, "some_client", home)
    special = home.Special
    patches = Patches()
    patches.derived(type("Traced", (special,), {}), {})
    assert special is home.Special
    patches.undo()
