"""Everything that a fact is found by, as a store keeps it.

In: a fact. Out: its exact tokens and its words, each as one string with single spaces. Not
here: what a token of a key and a value looks like (``tokens``), or any engine's syntax.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from timeline.domain import Attributes, EventInfo, Fact, Message, Scope, Span, Stored
from timeline.search.leaves import body_of, leaves, origin, promoted, texts
from timeline.search.numbers import as_double, ordered
from timeline.search.tokens import (
    EXISTS,
    NAMED_IDS,
    NUMBER,
    PRECISIONS,
    bare_token,
    exists_token,
    id_shaped,
    safe,
)
from timeline.search.words import GAP, words

MAX_WORDS: Final = 20_000  # of one fact


class Tokens(msgspec.Struct, frozen=True):
    """Everything a fact is found by, apart from its built-in fields.

    Both are tokens with single spaces between: ``kv`` exact ones, number tokens among
    them, possibly repeated; ``text`` words in order. ``partial`` is true where a limit
    left something out.
    """

    kv: str
    text: str
    partial: bool


# Keys and most values repeat from fact to fact: what their tokens are is worked out once.
_heads: dict[str, tuple[str, str, str]] = {}
_pairs: dict[type, dict[tuple[str, Any], str]] = {str: {}, int: {}, float: {}, bool: {}}
_MAX_HEADS, _MAX_PAIRS, _MAX_NAMES = 20_000, 16_384, 1024
_MAX_SHARED: Final = 32  # each keeps a whole resource, which no later request asks about


def heads(key: str) -> tuple[str, str, str]:
    """What the tokens of a key start with: existence and value, fine and coarse number."""
    cleaned = safe(key)
    fine, coarse = PRECISIONS
    return f"{EXISTS}{cleaned} {cleaned}~", f"{NUMBER}{cleaned}~{fine:x}~", f"{NUMBER}{cleaned}~{coarse:x}~"


def _head(key: str) -> tuple[str, str, str]:
    if len(_heads) >= _MAX_HEADS:
        _heads.clear()
    _heads[key] = made = heads(key)
    return made


def _text_tokens(head: str, key: str, value: str) -> str:
    if len(value) > 5 and key not in NAMED_IDS and id_shaped(value):
        return f"{head}{safe(value)} {bare_token(value)}"
    return head + safe(value)


def _number_tokens(known: tuple[str, str, str], key: str, value: float) -> str:
    whole, fine, coarse = known
    first, *others = texts(value)
    tokens = _text_tokens(whole, key, first) if type(value) is int else whole + first
    for text in others:
        tokens += f" {whole.partition(' ')[2]}{text}"
    number = as_double(value)
    if number is None:
        return tokens
    digits = ordered(number)
    return f"{tokens} {fine}{digits} {coarse}{digits[: PRECISIONS[1]]}"


def scalar_tokens(key: str, value: Any) -> str:
    """The tokens of one leaf, with spaces between."""
    known = _heads.get(key) or _head(key)
    if type(value) is str:
        return _text_tokens(known[0], key, value)
    if type(value) in (int, float):
        return _number_tokens(known, key, value)
    if value is None:
        return known[0].partition(" ")[0]
    return _text_tokens(known[0], key, texts(value)[0])


def _leaf_tokens(key: str, value: Any) -> str:
    """As ``scalar_tokens``, remembered: equal pairs come again and again."""
    # One memory per type, since 1, 1.0 and True are equal and read differently.
    known = _pairs.get(type(value))
    if known is None:
        return scalar_tokens(key, value)
    pair = (key, value)
    tokens = known.get(pair)
    if tokens is None:
        tokens = scalar_tokens(key, value)
        # 0.0 and -0.0 are equal, too, and read differently
        if len(tokens) < 400 and (value or type(value) is not float):
            if len(known) >= _MAX_PAIRS:
                known.clear()
            known[pair] = tokens
    return tokens


def attribute_tokens(key: str, value: Any) -> str:
    """The tokens of one attribute, nested ones by their leaves, with spaces between."""
    if not isinstance(value, (dict, list, tuple)):
        return scalar_tokens(key, value)
    parts = [_leaf_tokens(name, leaf) for name, leaf in leaves(key, value)]
    if isinstance(value, dict) or not parts:
        parts.append(exists_token(key))
    return " ".join(parts)


def _tokens_of(attributes: Attributes) -> list[str]:
    """The tokens of a set of attributes."""
    return [
        attribute_tokens(key, value) if isinstance(value, (dict, list, tuple)) else _leaf_tokens(key, value)
        for key, value in attributes.items()
    ]


def own_tokens(
    attributes: Attributes, message: Message | None, event: EventInfo | None, found: str = ""
) -> str:
    """The tokens of attributes and of what was promoted from them.

    ``found`` are those of the attributes alone, where these have been made.
    """
    parts = [found] if found else _tokens_of(attributes)
    if message is not None or event is not None:
        for name, value in promoted(message, event):
            if attributes.get(name) != value:
                parts.append(_leaf_tokens(name, value))
    return " ".join(parts)


def shared_tokens(resource: Attributes, scope: Scope, maker: tuple[str, str, str, str]) -> str:
    """The tokens of a resource, a scope, and ``maker``: service, instance, version, environment."""
    parts = _tokens_of(resource) + _tokens_of(scope.attributes)
    parts.extend(
        _leaf_tokens(name, value) for name, value in origin(maker, scope) if resource.get(name) != value
    )
    return " ".join(parts)


_shared: dict[tuple[int, int], tuple[Any, ...]] = {}


def _shared_tokens(fact: Fact) -> str:
    """As ``shared_tokens``, made once for each resource and scope that the facts of a request share."""
    key = (id(fact.resource), id(fact.scope))
    maker = (fact.service, fact.instance, fact.version, fact.environment)
    known = _shared.get(key)
    # The entry holds both objects, so their ids cannot have passed to others meanwhile.
    if known is not None and known[0] is fact.resource and known[1] is fact.scope and known[2] == maker:
        tokens: str = known[3]
        return tokens
    if len(_shared) >= _MAX_SHARED:
        _shared.clear()
    made = shared_tokens(fact.resource, fact.scope, maker)
    _shared[key] = (fact.resource, fact.scope, maker, made)
    return made


EXCEPTION = dict.fromkeys(("exception.message", "exception.type", "error.message")).keys()
_names: dict[str, str] = {}  # the words of span names


def _exception_texts(attributes: dict[str, Any]) -> Iterator[str]:
    for name in EXCEPTION:
        value = attributes.get(name)
        if isinstance(value, str):
            yield value


def text_of(sources: Iterable[str]) -> tuple[str, bool]:
    """The words of texts with gaps between, and whether some were left out."""
    found: list[str] = []
    limit = MAX_WORDS * 16  # characters of one text
    for source in sources:
        if source:
            if found:
                found.append(GAP)
            found.extend(words(source[:limit]))
            if len(found) > MAX_WORDS or len(source) > limit:
                return " ".join(found[:MAX_WORDS]), True
    return " ".join(found), False


def _text(fact: Fact, body: list[tuple[str, Any]]) -> tuple[str, bool]:
    """The words of a fact with gaps between its texts, and whether some were left out."""
    if isinstance(fact, Span) and not fact.annotations and not fact.status_message:
        known = _names.get(fact.name)
        if known is not None and EXCEPTION.isdisjoint(fact.attributes):
            return known, False  # the usual span: its name is all it says
    sources = [fact.name, *_exception_texts(fact.attributes)]
    if isinstance(fact, Span):
        sources.append(fact.status_message)
        for annotation in fact.annotations:
            sources.append(annotation.name)
            sources.extend(_exception_texts(annotation.attributes))
    sources.extend(value for _, value in body if isinstance(value, str))
    text, cut = text_of(sources)
    if cut:
        return text, True
    if len(sources) == 2 and isinstance(fact, Span) and not sources[1] and len(fact.name) < 200:
        if len(_names) >= _MAX_NAMES:
            _names.clear()
        _names[fact.name] = text
    return text, False


def fact_tokens(stored: Stored) -> Tokens:
    """The tokens of a fact: attributes of every part of it, body, promoted facts and words."""
    fact = stored.fact
    parts = [stored.tokens] if stored.tokens else _made(fact)
    body: list[tuple[str, Any]] = []
    partial = False
    if isinstance(fact, Span):
        for link in fact.links:
            parts.extend(_tokens_of(link.attributes))
        for annotation in fact.annotations:
            parts.extend(_tokens_of(annotation.attributes))
    else:
        if fact.severity:
            parts.append(_leaf_tokens("severity", fact.severity))
        if fact.severity_number:
            parts.append(_leaf_tokens("severity_number", fact.severity_number))
        if fact.body is not None:
            body, partial = body_of(fact)
            parts.extend(_leaf_tokens(name, value) for name, value in body)
    text, cut = _text(fact, body)
    return Tokens(parts[0] if len(parts) == 1 else " ".join(filter(None, parts)), text, partial or cut)


def _made(fact: Fact) -> list[str]:
    return [own_tokens(fact.attributes, fact.message, fact.event), _shared_tokens(fact)]
