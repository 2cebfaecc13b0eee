"""Files: whole ones prove it, broken ones say so."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.builders import NOW, entities, event, facts, ref, span, stored
from timeline.answers import Coverage
from timeline.domain import Message, Stored, Timeline
from timeline.errors import StoreUnavailable
from timeline.export.facts import fact_json
from timeline.export.values import cell
from timeline.export.writers import COLUMNS, Header, write_csv, write_json, write_ndjson
from timeline.rebuild.assemble import timeline
from timeline.search.query import Window

HEADER = Header(
    kind="search",
    subject='type:BetPlaced "quoted"',
    made_at=NOW,
    window=Window(start=NOW),
    coverage=Coverage(window=Window(), up_to=NOW, now=NOW),
    verdict="seen",
    complete=False,
    notes=("stopped at 5 facts",),
)
Writer = Callable[[Header, Iterable[Stored]], Iterator[bytes]]
WRITERS: tuple[Writer, ...] = (write_json, write_ndjson, write_csv)
EVERYTHING = list(facts(450, seed=3))


def rows(data: bytes) -> list[dict[str, str]]:
    """The records of a CSV file."""
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


def broken(count: int, error: Exception) -> Iterator[Stored]:
    """A source that fails after ``count`` facts."""
    yield from EVERYTHING[:count]
    raise error


def read_to_the_end(chunks: Iterator[bytes], error: type[Exception]) -> bytes:
    """Everything that came out before the error, which must be raised."""
    found: list[bytes] = []
    with pytest.raises(error):
        found.extend(chunks)
    return b"".join(found)


def test_a_json_file_holds_every_fact_and_its_own_proof() -> None:
    data = b"".join(write_json(HEADER, EVERYTHING))
    document = json.loads(data)
    assert [fact_json(one) for one in EVERYTHING] == document["facts"]
    before = data[: data.rindex(b',"end"')]
    assert {"facts": 450, "sha256": hashlib.sha256(before).hexdigest()} == document["end"]


def test_an_ndjson_file_is_one_object_a_line_and_proves_itself() -> None:
    data = b"".join(write_ndjson(HEADER, EVERYTHING))
    lines = data.splitlines(keepends=True)
    parsed = [json.loads(line) for line in lines]
    assert ["export", *["fact"] * 450, "end"] == [next(iter(line)) for line in parsed]
    assert {"facts": 450, "sha256": hashlib.sha256(b"".join(lines[:-1])).hexdigest()} == parsed[-1]["end"]


def test_a_csv_file_has_one_record_a_fact_and_proves_itself() -> None:
    data = b"".join(write_csv(HEADER, EVERYTHING))
    found = rows(data)
    assert ["export", *["fact"] * 450, "end"] == [row["record"] for row in found]
    assert [one.receipt.id for one in EVERYTHING] == [row["id"] for row in found[1:-1]]
    end = json.loads(found[-1]["detail"])
    before = data[: data.rindex(b"end,")]
    assert {"facts": 450, "sha256": hashlib.sha256(before).hexdigest()} == end


@pytest.mark.parametrize("write", WRITERS)
def test_every_file_states_its_query_coverage_and_completeness(write: Writer) -> None:
    data = b"".join(write(HEADER, []))
    if write is write_csv:
        stated = json.loads(rows(data)[0]["detail"])
    else:
        stated = json.loads(data.splitlines()[0] if write is write_ndjson else data)["export"]
    assert ('type:BetPlaced "quoted"', "seen", False, ["stopped at 5 facts"], "2026-09-21T14:13:20.000000000Z") == (
        stated["subject"], stated["verdict"], stated["complete"], stated["notes"], stated["coverage"]["up_to"],
    )  # fmt: skip


@pytest.mark.parametrize("count", [0, 7, 200, 333])
@pytest.mark.parametrize("write", WRITERS)
def test_a_source_that_fails_leaves_a_mark_and_no_end(write: Writer, count: int) -> None:
    source = broken(count, StoreUnavailable("the store did not answer"))
    data = read_to_the_end(write(HEADER, source), StoreUnavailable)
    failed: dict[str, Any]
    if write is write_csv:
        found = rows(data)
        assert ["export", *["fact"] * count, "failed"] == [row["record"] for row in found]
        failed = json.loads(found[-1]["detail"])
    elif write is write_ndjson:
        failed = json.loads(data.splitlines()[-1])["failed"]
    else:
        document = json.loads(data)
        assert (count, True) == (len(document["facts"]), "end" not in document)
        failed = document["failed"]
    assert {"after": count, "reason": "the store did not answer", "complete": False} == failed
    assert b"sha256" not in data


def test_the_words_of_a_foreign_error_stay_out_of_the_file() -> None:
    data = read_to_the_end(write_ndjson(HEADER, broken(1, ValueError("password=hunter2"))), ValueError)
    assert ("ValueError", False) == (
        json.loads(data.splitlines()[-1])["failed"]["reason"],
        b"hunter2" in data,
    )


@pytest.mark.parametrize("write", WRITERS)
def test_facts_are_written_while_they_are_read(write: Writer) -> None:
    seen = 0

    def source() -> Iterator[Stored]:
        nonlocal seen
        for one in EVERYTHING:
            seen += 1
            yield one

    chunks = write(HEADER, source())
    while seen == 0:
        assert next(chunks)
    assert seen < len(EVERYTHING)


@pytest.mark.parametrize("write", [write_json, write_ndjson])
def test_a_story_travels_with_its_facts(
    write: Callable[[Header, Iterable[Stored], Timeline | None], Iterator[bytes]],
) -> None:
    one = stored(span())
    data = b"".join(write(HEADER, [one], timeline("bet:1", [one])))
    stated = json.loads(data) if write is write_json else json.loads(data.splitlines()[1])
    assert ("bet:1", 1) == (stated["timeline"]["subject"], len(stated["timeline"]["entries"]))


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_cell_starts_a_formula(start: str) -> None:
    text = f'{start}cmd|"/c calc"!A1'
    one = stored(span(name=text, service=text, message=Message(key=text)), content="c")
    row = rows(b"".join(write_csv(HEADER, [one])))[1]
    assert [f"'{text}"] * 3 == [row["name"], row["service"], row["key"]]


def test_numbers_stay_numbers_and_nothing_stays_empty() -> None:
    assert ["-5", "1.5", "", "true", "plain", "a=b"] == [
        cell(value) for value in (-5, 1.5, None, True, "plain", "a=b")
    ]


def test_cells_with_quotes_commas_and_lines_come_back_as_they_were() -> None:
    name = 'a "b", c\r\nd'
    data = b"".join(write_csv(HEADER, [stored(span(name=name))]))
    assert name == rows(data)[1]["name"]
    assert data.startswith(b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n")


def test_a_csv_row_tells_what_a_fact_tells() -> None:
    one = stored(
        span(
            1, 2, parent=ref().span_id, status="error", status_message="no funds", end=NOW + 7,
            entities=entities("bet:1", "player:2"), attributes={"a": 1},
            message=Message(destination="bets", partition="3", offset=51, key="k", id="m", operation="send"),
        )
    )  # fmt: skip
    row = rows(b"".join(write_csv(HEADER, [one, stored(event(3, body={"n": 1}, severity="WARN"))])))
    told = {
        "duration_ns": "7", "status": "error", "detail": "no funds", "entities": "bet:1 player:2",
        "destination": "bets", "partition": "3", "offset": "51", "key": "k", "message_id": "m", "operation": "send",
        "parent_id": ref().span_id, "attributes": '{"a":1}', "variant": "",
    }  # fmt: skip
    assert told == {key: row[1][key] for key in told}
    assert ("WARN", '{"n":1}', "OrderPlaced") == (row[2]["status"], row[2]["detail"], row[2]["event_type"])
