"""The senders page: the sum that must come out even, and everything that feeds it."""

from __future__ import annotations

from typing import Any

from timeline.answers import SendersAnswer
from timeline.web import colours, words
from timeline.web.contexts.accounting import accounting_part

_PARTS = (
    ("refused", "refused", "told to the sender"),
    ("inbox", "in the inbox", "accepted, not yet indexed"),
    ("new", "new", "indexed"),
    ("already", "already stored", "counted as arrivals"),
    ("variant", "variants", "other content, kept beside"),
    ("quarantined", "quarantined", "kept with its reason"),
)


def senders_page(answer: SendersAnswer) -> dict[str, Any]:
    """Everything the senders template shows."""
    tally = answer.tally
    parts = [
        {"key": key, "label": label, "note": note, "count": tally.get(key, 0)} for key, label, note in _PARTS
    ]
    received = tally.get("received", 0)
    hues = colours.assign(sender.service for sender in answer.senders)
    declared = sum(sender.complete for sender in answer.senders)
    return {
        "answer": answer,
        "sentence": _sentence(answer),
        "several": len({node.name for node in answer.nodes}) > 1,
        "down": [node for node in answer.nodes if not node.up],
        "parts": parts,
        "received": received,
        "even": received == sum(tally.get(key, 0) for key, _, _ in _PARTS),
        "others": [(key, count) for key, count in sorted(tally.items()) if key not in {"received", *(part[0] for part in _PARTS)} and count],
        "senders": [{"view": sender, "hue": hues[sender.service]} for sender in answer.senders],
        "declared": declared,
        "quiet": not answer.senders,
        **accounting_part(answer.accounting),
    }  # fmt: skip


def _sentence(answer: SendersAnswer) -> str:
    down = [f"the {node.role} of {node.name}" for node in answer.nodes if not node.up]
    if down:
        return f"{' and '.join(down[:2]).capitalize()} {'does' if len(down) == 1 else 'do'} not answer{f'; {len(down) - 2} more' if len(down) > 2 else ''}."
    waits = words.plural(answer.pending_requests, "request")
    if not answer.senders:
        return "Nobody has sent anything yet."
    inbox = (
        f"{waits} with {words.plural(answer.pending_items, 'item')}"
        f" {'waits' if answer.pending_requests == 1 else 'wait'} to be indexed: stored, not yet searchable"
        if answer.pending_requests
        else "the inbox is empty"
    )
    return f"{words.plural(len(answer.senders), 'sender')}, every process up, {inbox}."
