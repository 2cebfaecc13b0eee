"""The pages of flows: a graph and a table of all of them, and one destination looked at closely."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from timeline.answers import Coverage, DestinationAnswer, FlowsAnswer, Size
from timeline.reading.flows import told_to_the_end
from timeline.rebuild.flows import Flow, Spread
from timeline.web import colours, words
from timeline.web.contexts import marks
from timeline.web.contexts.frame import link
from timeline.web.contexts.graph import DESTINATION, SERVICE, graph
from timeline.web.contexts.histogram import percent

RANGES = (("1h", "1 h"), ("24h", "24 h"), ("7d", "7 days"), ("all", "All"))
MOST_DRAWN = 150  # flows; a graph of more is no picture
KEPT = ("from", "to", "range")
_ON_ITS_WAY = 10 * words.SECOND


def destination_path(name: str) -> str:
    """The page of a destination; a name may hold a slash."""
    return f"/flows/{quote(name, safe='/')}"


def flows_page(answer: FlowsAnswer, params: Mapping[str, str]) -> dict[str, Any]:
    """Everything the template of all flows shows."""
    hues = _hues(answer.flows)
    counts = dict(answer.destinations)
    settled = _settled(answer.flows, answer.coverage.now)
    drawn = sorted(settled, key=lambda flow: -(flow.taken + flow.open))[:MOST_DRAWN]
    return {
        "answer": answer,
        "sentence": sentence(settled, answer.coverage),
        "rows": _rows(answer.flows, hues, params, answer.coverage.now),
        "drawing": _drawing(drawn, hues, params),
        "left_out": len(answer.flows) - len(drawn),
        "destinations": [
            {"name": name, "count": count, "href": link(destination_path(name), params)}
            for name, count in counts.items()
        ],
        "ranges": ranges("/flows", params),
        "markers": marks.listed(answer.coverage.window),
    }


def destination_page(answer: DestinationAnswer, params: Mapping[str, str]) -> dict[str, Any]:
    """Everything the template of one destination shows."""
    hues = _hues(answer.flows) | colours.assign(lane.service for lane in answer.lanes)
    settled = _settled(answer.flows, answer.coverage.now)
    most = max((partition.messages for partition in answer.partitions), default=0)
    return {
        "answer": answer,
        "sentence": f"{answer.name}: {sentence(settled, answer.coverage)}",
        "rows": _rows(answer.flows, hues, params, answer.coverage.now),
        "drawing": _drawing(settled[:MOST_DRAWN], hues, params),
        "partitions": [{"view": part, "width": percent(part.messages, most)} for part in answer.partitions],
        "keys": [
            {
                "key": key,
                "count": count,
                "href": _search(params, ("destination", answer.name), ("messaging.kafka.message.key", key)),
            }
            for key, count in answer.keys[:20]
        ],
        "torn": [
            {
                "key": key,
                "places": ", ".join(places),
                "href": _search(params, ("destination", answer.name), ("messaging.kafka.message.key", key)),
            }
            for key, places in answer.torn
        ],
        "lanes": [{"view": lane, "hue": hues.get(lane.service, 0)} for lane in answer.lanes],
        "sizes": _sizes(answer.sizes),
        "search_href": _search(params, ("destination", answer.name)),
        "ranges": ranges(destination_path(answer.name), params),
        "markers": marks.listed(answer.coverage.window, (lane.service for lane in answer.lanes)),
    }


def _settled(flows: Iterable[Flow], now: int) -> list[Flow]:
    """The flows as a sentence may speak of them: what was sent a moment ago is on its way, and waits for nobody."""
    return [
        msgspec.structs.replace(flow, open=0)
        if flow.oldest is not None and now - flow.oldest < _ON_ITS_WAY
        else flow
        for flow in flows
    ]


def ranges(path: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """The quick ranges of these pages."""
    chosen = "" if params.get("from") or params.get("to") else params.get("range", "24h")
    return [
        {"label": label, "href": link(path, {}, range=key), "here": key == chosen} for key, label in RANGES
    ]


def sentence(flows: Sequence[Flow], coverage: Coverage) -> str:
    """What is worst among the facts looked at, in a sentence; nothing is said of what they do not show."""
    if not flows:
        return "no delivery is known in this range."
    stuck = max(flows, key=lambda flow: flow.open)
    if stuck.open:
        since = (
            f", the oldest for {words.about(coverage.now - stuck.oldest)}" if stuck.oldest is not None else ""
        )
        taker = stuck.group or stuck.consumer or "its consumer"
        return f"{words.plural(stuck.open, 'message')} of {stuck.destination} not taken by {taker}{since}."
    failing = max(flows, key=lambda flow: flow.failed)
    if failing.failed:
        return f"{failing.failed:,} of {failing.taken:,} deliveries of {failing.destination} to {failing.consumer or failing.group} failed."
    slow = max(flows, key=lambda flow: flow.wait.p95 if flow.wait else 0)
    known = (
        "no message is known to wait" if told_to_the_end(coverage) else "whether messages wait cannot be said"
    )
    if slow.wait is None:
        return f"{known}; none of {words.plural(len(flows), 'flow')} failed."
    return f"{known}; those of {slow.destination} waited longest for {slow.consumer or slow.group}, {words.length(slow.wait.p95)} (p95)."


def _hues(flows: Iterable[Flow]) -> dict[str, int]:
    named = {service for flow in flows for service in (flow.producer, flow.consumer) if service}
    return colours.assign(named)


def _search(params: Mapping[str, str], *conditions: tuple[str, str]) -> str:
    text = " ".join(f"{field}:{_quoted(value)}" for field, value in conditions)
    return link("/search", {name: params[name] for name in KEPT if name in params}, q=text)


def _quoted(value: str) -> str:
    inside = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'


def _rows(
    flows: Sequence[Flow], hues: Mapping[str, int], params: Mapping[str, str], now: int
) -> list[dict[str, Any]]:
    return [
        {
            "flow": flow,
            "producer_hue": hues.get(flow.producer, 0),
            "consumer_hue": hues.get(flow.consumer, 0),
            "href": link(destination_path(flow.destination), params),
            "rate": f"{flow.rate:,.1f}/s" if flow.rate is not None else "",
            "failed": f"{100 * flow.failed / flow.taken:.3g}%" if flow.failed else "",
            "wait": _times(flow.wait),
            "work": _times(flow.work),
            "lag": now - flow.oldest if flow.oldest is not None else None,
            "looks": [
                {"label": label, "href": link(f"/facts/{fact}", params)}
                for label, fact in (
                    ("slowest", flow.slowest),
                    ("failed", flow.failure),
                    ("not taken", flow.waiting),
                )
                if fact
            ],
        }
        for flow in sorted(flows, key=_rank, reverse=True)
    ]


def _times(spread: Spread | None) -> dict[str, int | None]:
    return {name: getattr(spread, name, None) for name in ("p50", "p95", "p99")}


def _drawing(
    flows: Sequence[Flow], hues: Mapping[str, int], params: Mapping[str, str]
) -> dict[str, Any] | None:
    """Producers lead to a destination, and that to its consumers."""
    nodes: dict[str, dict[str, Any]] = {}
    edges: dict[tuple[str, str], dict[str, Any]] = {}
    for flow in flows:
        through = nodes.setdefault(
            DESTINATION + flow.destination,
            {
                "name": flow.destination,
                "service": False,
                "href": link(destination_path(flow.destination), params),
            },
        )
        through["key"] = DESTINATION + flow.destination
        for service, key in ((flow.producer, "from"), (flow.consumer or flow.group or "", "to")):
            if not service:
                continue
            node = SERVICE + service
            nodes.setdefault(
                node,
                {
                    "name": service,
                    "service": True,
                    "hue": hues.get(service, 0),
                    "href": _search(params, ("service", service)),
                },
            )
            pair = (
                (node, DESTINATION + flow.destination)
                if key == "from"
                else (DESTINATION + flow.destination, node)
            )
            edge = edges.setdefault(
                pair, {"source": pair[0], "target": pair[1], "label": "", "tone": "", "said": ""}
            )
            if key == "to":
                edge |= _labelled(flow)
    return graph(nodes, list(edges.values())) if nodes else None


def _rank(flow: Flow) -> tuple[int, int, int]:
    return flow.open, flow.failed, flow.wait.p95 if flow.wait else 0


def _labelled(flow: Flow) -> dict[str, str]:
    if flow.open:
        label, tone = f"{flow.open:,} not taken", "amber"
    elif flow.failed:
        label, tone = f"{flow.failed:,} failed", "red"
    else:
        label, tone = (words.length(flow.wait.p95) if flow.wait else ""), ""
    said = f"{flow.destination} to {flow.consumer or flow.group}: {flow.taken:,} taken"
    if flow.wait:
        said += f", waits {words.length(flow.wait.p50)} (p50), {words.length(flow.wait.p95)} (p95)"
    return {"label": label, "tone": tone, "said": said}


def _sizes(sizes: Sequence[Size]) -> dict[str, Any] | None:
    """Bars for the middle, lines up to the 95th percentile, over time."""
    if not sizes:
        return None
    most = max(size.most for size in sizes) or 1  # tombstones have no body at all
    return {
        "most": most,
        "first": sizes[0].start,
        "last": sizes[-1].start,
        "grown": sizes[-1].p50 / sizes[0].p50 if sizes[0].p50 and len(sizes) > 1 else None,
        "bars": [
            {
                "x": percent(place + 0.15, len(sizes)),
                "middle": percent(place + 0.5, len(sizes)),
                "width": percent(0.7, len(sizes)),
                "y": f"{82 - 66 * size.p50 / most:.1f}",
                "height": f"{66 * size.p50 / most:.1f}",
                "top": f"{82 - 66 * size.p95 / most:.1f}",
                "view": size,
            }
            for place, size in enumerate(sizes)
        ],
    }
