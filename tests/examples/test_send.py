from __future__ import annotations

import time

import pytest

from examples.matchday.__main__ import main
from examples.matchday.history import record_player
from examples.matchday.record import Notebook
from examples.matchday.send import Door, NotTakenError, send_all
from examples.matchday.story import Clock
from tests.tracing.sink import Sink, running


def small() -> Notebook:
    book = Notebook("1")
    record_player(book, Clock.ending(time.time_ns()))
    return book


def test_the_bytes_decode_with_the_published_protocol_and_carry_everything() -> None:
    book = small()
    with running() as sink:
        assert len(book.spans) + len(book.events) == send_all(book, Door(sink.endpoint))
        sent = sink.spans()
        events = sink.events()
    assert sorted(span.name for span in book.spans) == sorted(span.name for _, span in sent)
    assert book.events == events
    by_id = {f"{span.context.span_id:016x}": span for span in book.spans}
    for resource, span in sent:
        original = by_id[span.span_id.hex()]
        assert resource["service.instance.id"] == original.resource.attributes["service.instance.id"]
        assert (original.start_time, original.end_time) == (
            span.start_time_unix_nano,
            span.end_time_unix_nano,
        )


def test_a_receiver_that_asks_for_patience_gets_it_and_then_everything() -> None:
    book = small()
    with running() as sink:
        sink.answers.extend([(503, {"retry-after": "1"}), (429, {"retry-after": "0"})])
        begun = time.monotonic()
        send_all(book, Door(sink.endpoint))
        assert time.monotonic() - begun >= 1.0
        assert len(book.spans) == len(sink.spans())
        assert len(book.events) == len(sink.events())


def test_a_refusal_for_good_is_said_with_what_the_receiver_answered() -> None:
    with running() as sink:
        sink.answers.append((401, {}))
        with pytest.raises(NotTakenError, match="answered 401"):
            send_all(small(), Door(sink.endpoint))


def test_an_event_posted_again_is_counted_once() -> None:
    book = small()
    book.events.append(book.events[0])
    with running() as sink:
        assert len(book.spans) + len(book.events) - 1 == send_all(book, Door(sink.endpoint))


@pytest.mark.parametrize("endpoint", ["ftp://x", "127.0.0.1:4318", ""])
def test_a_bad_endpoint_is_refused_with_an_example(endpoint: str) -> None:
    with pytest.raises(NotTakenError, match=r"http://127\.0\.0\.1:4318"):
        Door(endpoint)


def seeded(sink: Sink, capsys: pytest.CaptureFixture[str], now: str) -> str:
    assert 0 == main(["--endpoint", sink.endpoint, "--history-only", "--now", now])
    return capsys.readouterr().out


def test_seeding_prints_the_window_it_covers_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as sink:
        line = seeded(sink, capsys, "2026-11-21T18:42:40+00:00")
        facts = len(sink.spans()) + len({event["id"] for event in sink.events()})
    window = '"start": "2026-11-14T18:42:40.000000000Z", "end": "2026-11-21T18:42:40.000000000Z"'
    assert f'{{"seeded": {{{window}, "facts": {facts}}}}}\n' == line
    assert facts > 25_000


def test_a_refused_history_ends_with_an_error_and_no_window(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as sink:
        sink.answers.append((400, {}))
        assert 1 == main(["--endpoint", sink.endpoint, "--history-only"])
    said = capsys.readouterr()
    assert "" == said.out
    assert "answered 400" in said.err
