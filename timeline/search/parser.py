"""Reading the text of a question into its tree: one pass, by recursive descent."""

from __future__ import annotations

import re
from typing import Final, Literal, cast

from timeline.errors import BadQuery
from timeline.search.meaning import is_duration, takes_numbers
from timeline.search.syntax import (
    DURATION,
    NUMBER,
    Ast,
    Compare,
    Everything,
    Has,
    Operator,
    Pair,
    Range,
    Text,
    Without,
    either,
    every,
    is_url_tail,
    quote,
    write_key,
)

MAX_DEPTH: Final = 50
MAX_CLAUSES: Final = 200

_SPACE = re.compile(r"\s*")
_RUN = re.compile(r'[^\s"()]+')
_OPERATOR = re.compile(r"!=|>=|<=|[:><=]")
_KEYWORD = re.compile(r'(AND|OR|NOT)(?=[\s()"]|$)')
_STRAY = re.compile(r"&&|\|\|")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t", "/": "/"}
_CLOCK_KEY = re.compile(r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}T)?[0-9]{1,2}", re.ASCII)
_CLOCK_VALUE = re.compile(r"[0-9]{2}(?:[:.,+Z-].*)?", re.ASCII)
_Keyword = Literal["AND", "OR", "NOT"]


class Parser:
    """Recursive descent over the text; ``_at`` is the next character to read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._clauses = 0

    def question(self) -> Ast | None:
        self._skip()
        if self._at == len(self._text):
            return None
        tree = self._or(0)
        if self._at < len(self._text):
            raise self._fault(
                "this parenthesis closes nothing", remedy='Take it out, or put it in quotes: ")"'
            )
        return tree

    def _or(self, depth: int) -> Ast:
        start, items = self._at, [self._and(depth)]
        while self._take("OR"):
            items.append(self._and(depth))
        return either(items, (start, self._at))

    def _and(self, depth: int) -> Ast:
        self._skip()
        start, items = self._at, list[Ast]()
        needed = True
        while True:
            self._skip()
            keyword = self._keyword()
            if self._at == len(self._text) or self._text[self._at] == ")" or keyword in ("AND", "OR"):
                if needed:
                    raise self._operand_missing(keyword)
                if keyword != "AND":
                    return every(items, (start, self._at))
                self._at += len("AND")
                needed = True
            else:
                items.append(self._unary(depth))
                needed = False

    def _unary(self, depth: int) -> Ast:
        """One condition, with any ``NOT`` before it."""
        starts: list[int] = []
        while True:
            self._skip()
            start = self._at
            if self._keyword() == "NOT":
                self._at += len("NOT")
            elif self._is_minus():
                self._at += 1
            else:
                break
            starts.append(start)
            self._bound_depth(depth + len(starts), start)
        self._skip()
        if self._at == len(self._text) or self._text[self._at] == ")" or self._keyword():
            raise self._fault(
                "a condition is missing after NOT", remedy="Write what to leave out: NOT key:value"
            )
        item = self._primary(depth + len(starts))
        for start in reversed(starts):
            item = Without(item, at=(start, self._at))
        return item

    def _primary(self, depth: int) -> Ast:
        if self._text[self._at] != "(":
            self._clauses += 1
            return self._clause(depth)
        opened = self._at
        self._bound_depth(depth + 1, opened)
        self._at += 1
        item = self._or(depth + 1)
        if self._at == len(self._text):
            raise self._fault(
                "this parenthesis is never closed", at=opened, remedy="Add ) where the group ends."
            )
        self._at += 1
        return item

    def _clause(self, depth: int) -> Ast:
        start = self._at
        if self._clauses > MAX_CLAUSES:
            raise self._fault(
                f"more than {MAX_CLAUSES} conditions", remedy="Send a list of ids to /api/v1/seen instead."
            )
        if self._text[start] == '"':
            key = self._quoted()
            operator = _OPERATOR.match(self._text, self._at)
            if operator is None:
                return Text(key, self._star(), at=(start, self._at))
            self._at = operator.end()
            return self._pair(key, operator[0], start, depth, quoted_key=True)
        run = self._run(start)
        operator = _OPERATOR.search(run)
        if operator is None or self._reads_as_text(run, operator):
            return self._word(run, start)
        key = run[: operator.start()]
        if not key:
            raise self._fault(
                f"no key stands before {operator[0]}",
                remedy=f"Write key{operator[0]}value, or quote: {quote(run)}",
            )
        if "*" in key:
            raise self._fault(
                "a key is written out, without a star", remedy="Name the key, or search for a word*"
            )
        self._at = start + operator.end()
        return self._pair(key, operator[0], start, depth, quoted_key=False)

    def _word(self, run: str, start: int) -> Ast:
        self._at = start + len(run)
        self._no_quote_inside(start)
        if run == "*":
            return Everything(at=(start, self._at))
        if stray := _STRAY.fullmatch(run):
            word = "AND" if stray[0] == "&&" else "OR"
            raise self._fault(f"{run} is not a word of the language", at=start, remedy=f"Write {word}.")
        prefix = run.endswith("*")
        text = run[:-1] if prefix else run
        self._no_star_inside(text, start)
        return Text(text, prefix, at=(start, self._at))

    def _reads_as_text(self, run: str, operator: re.Match[str]) -> bool:
        """Whether the run only looks like a pair: a web address, or base64 ending in ``=``."""
        value = run[operator.end() :]
        if operator[0] == ":" and operator.start() and is_url_tail(value):
            return True
        at_end = self._text[self._at + len(run) : self._at + len(run) + 1] not in ('"', "(")
        return operator[0] == "=" and operator.start() >= 6 and not value.strip("=") and at_end

    def _pair(self, key: str, operator: str, start: int, depth: int, *, quoted_key: bool) -> Ast:
        """What follows ``key`` and its operator; ``_at`` stands behind the operator."""
        if operator in (":", "=", "!=") and self._text[self._at : self._at + 1] == "(":
            item = self._value_list(key, start, depth, quoted_key)
        else:
            item = self._value(key, operator.removeprefix("!"), start, quoted_key)
        return Without(item, at=(start, self._at)) if operator == "!=" else item

    def _value(self, key: str, operator: str, start: int, quoted_key: bool) -> Ast:
        begun = self._at
        quoted = self._text[begun : begun + 1] == '"'
        if quoted:
            value, prefix = self._quoted(), self._star()
        else:
            value, prefix = self._bare_value(key, operator, start, quoted_key)
        at = (start, self._at)
        if operator in (">", ">=", "<", "<="):
            if prefix:
                raise self._fault(
                    "a star cannot be compared", at=begun, remedy="Compare with a number: key>5"
                )
            return Compare(key, cast(Operator, operator), value, at=at)
        if key == "has" and not quoted_key and operator == ":":
            if prefix:
                raise self._fault("has takes a whole key", at=begun, remedy="Leave the star out: has:key")
            return Has(value, at=at)
        if prefix and not value and not quoted:
            return Has(key, at=at)
        if prefix or (quoted and not is_duration(key)):
            return Pair(key, value, prefix, at=at)
        low, dots, high = value.partition("..")
        number = DURATION if is_duration(key) else NUMBER
        if dots and (low or high) and all(not side or number.fullmatch(side) for side in (low, high)):
            return Range(key, low, high, at=at)
        exactly = operator == "=" and takes_numbers(key)
        if (exactly or is_duration(key)) and number.fullmatch(value):
            return Compare(key, "=", value, at=at)
        return Pair(key, value, at=at)

    def _bare_value(self, key: str, operator: str, start: int, quoted_key: bool) -> tuple[str, bool]:
        begun = self._at
        run = _RUN.match(self._text, begun)
        if run is None:
            raise self._fault(
                f"a value is missing after {operator}",
                remedy=f"Write {write_key(key)}{operator}value without a space, or has:{write_key(key)}",
            )
        value = run[0]
        whole = f"{key}{operator}{value}"
        if operator == ":" and not quoted_key and _CLOCK_KEY.fullmatch(key) and _CLOCK_VALUE.fullmatch(value):
            raise self._fault(
                f"{quote(whole)} looks like a time",
                at=start,
                remedy=f"Set the range beside the box, or search for the text in quotes: {quote(whole)}",
            )
        self._at = run.end()
        self._no_quote_inside(begun)
        prefix = value.endswith("*")
        value = value[:-1] if prefix else value
        self._no_star_inside(value, begun)
        return value, prefix

    def _value_list(self, key: str, start: int, depth: int, quoted_key: bool) -> Ast:
        """``key:(a OR b)``: the same key with any of the values."""
        opened = self._at
        self._bound_depth(depth + 1, opened)
        self._at += 1
        self._clauses -= 1  # each value counts, the list does not
        items: list[Ast] = []
        while True:
            self._skip()
            begun = self._at
            if self._at == len(self._text):
                raise self._fault("this list is never closed", at=opened, remedy="Add ) where the list ends.")
            if self._text[self._at] in "()" or self._keyword():
                raise self._fault(
                    "a value is missing in this list", remedy=f"Write {write_key(key)}:(one OR other)"
                )
            self._clauses += 1
            if self._clauses > MAX_CLAUSES:
                raise self._fault(
                    f"more than {MAX_CLAUSES} conditions", remedy="Ask for fewer values at once."
                )
            items.append(self._value(key, ":", begun, quoted_key))
            if self._take("OR"):
                continue
            self._skip()
            if self._text[self._at : self._at + 1] != ")":
                raise self._fault(
                    "values in a list are joined by OR", remedy=f"Write {write_key(key)}:(one OR other)"
                )
            self._at += 1
            return either(items, (start, self._at))

    def _quoted(self) -> str:
        opened = self._at
        match = _QUOTED.match(self._text, opened)
        if match is None:
            raise self._fault(
                "this quote is never closed", remedy='Add " at the end; write \\" for a quote inside.'
            )
        self._at = match.end()
        following = self._text[self._at : self._at + 1]
        if following and not following.isspace() and following not in "()*:<>=!":
            raise self._fault(
                "a word goes on after the closing quote",
                remedy='Add a space, or write \\" for a quote inside.',
            )

        def character(escape: re.Match[str]) -> str:
            if escape[1] not in _ESCAPES:
                raise self._fault(
                    f"\\{escape[1]} means nothing",
                    at=opened + 1 + escape.start(),
                    remedy='Write \\\\ for a backslash, \\" for a quote, \\n, \\r or \\t.',
                )
            return _ESCAPES[escape[1]]

        return _ESCAPE.sub(character, match[1])

    def _star(self) -> bool:
        """Take a star that follows a closing quote."""
        if self._text[self._at : self._at + 1] != "*":
            return False
        self._at += 1
        following = self._text[self._at : self._at + 1]
        if following and not following.isspace() and following not in "()":
            raise self._fault("a star ends a word", remedy="Add a space after the star.")
        return True

    def _run(self, start: int) -> str:
        run = _RUN.match(self._text, start)
        return run[0] if run else ""

    def _no_quote_inside(self, start: int) -> None:
        if self._text[self._at : self._at + 1] == '"':
            raise self._fault(
                "a quote opens in the middle of a word",
                remedy=f'Add a space before it, or quote the whole: "{self._text[start : self._at][:40]}..."',
            )

    def _no_star_inside(self, text: str, start: int) -> None:
        star = text.find("*")
        if star >= 0:
            raise self._fault(
                "a star stands only at the end",
                at=start + star,
                remedy=f"Write {quote(text[:star])}* for a beginning, or {quote(text)} for the star itself.",
            )

    def _keyword(self) -> _Keyword | None:
        match = _KEYWORD.match(self._text, self._at)
        return cast(_Keyword, match[1]) if match else None

    def _take(self, keyword: _Keyword) -> bool:
        self._skip()
        if self._keyword() != keyword:
            return False
        self._at += len(keyword)
        return True

    def _is_minus(self) -> bool:
        sign = self._text[self._at : self._at + 2]
        return len(sign) == 2 and sign[0] == "-" and not sign[1].isspace()

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _bound_depth(self, depth: int, at: int) -> None:
        if depth > MAX_DEPTH:
            raise self._fault(
                f"more than {MAX_DEPTH} levels inside each other",
                at=at,
                remedy="Take out parentheses or NOTs.",
            )

    def _operand_missing(self, keyword: _Keyword | None) -> BadQuery:
        if keyword is not None:
            return self._fault(f"a condition is missing before {keyword}", remedy=f"Write a {keyword} b.")
        if self._text[: self._at].rstrip().endswith("("):
            return self._fault(
                "these parentheses are empty", remedy="Write conditions in them, or take them out."
            )
        if self._text[: self._at].rstrip().endswith(("AND", "OR")):
            return self._fault(
                "a condition is missing at the end",
                remedy='Write one more, or put a word that is meant in quotes: "AND"',
            )
        return self._fault("this parenthesis closes nothing", remedy='Take it out, or put it in quotes: ")"')

    def _fault(self, message: str, *, at: int | None = None, remedy: str) -> BadQuery:
        return BadQuery(message, column=(self._at if at is None else at) + 1, remedy=remedy)
