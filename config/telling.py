"""How this process tells of itself: where its figures lie, how its log lines look, whether it makes spans."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FIGURES = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client where it is first imported


def prepare(folder: Path) -> None:
    """Let every process of the node write its figures to one folder; called before anything makes one."""
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    os.environ[FIGURES] = str(figures)


def logging(level: str, form: str, node: str) -> dict[str, Any]:
    """Django's LOGGING: lines for people, or one JSON object a line."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
            "json": {"()": "config.telling.json_lines", "node": node},
        },
        # a 503 of ours says why where it is raised
        "filters": {
            "unasked": {
                "()": "django.utils.log.CallbackFilter",
                "callback": lambda record: getattr(record, "status_code", 0) != 503,
            },
            "said once": {"()": "config.said_once.SaidOnce"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["unasked", "said once"],
            }
        },
        # one line a batch would drown what matters
        "loggers": {"celery": {"level": "WARNING"}, "kombu": {"level": "ERROR"}},
        "root": {"handlers": ["stderr"], "level": level},
    }


def json_lines(node: str) -> Any:
    """One JSON object for each record: time (RFC 3339), level, logger, message, node, process, what is bound to
    the work in hand, the trace of our own, and the traceback as text."""
    import structlog

    def here(_: Any, __: str, event: Any) -> Any:
        from opentelemetry import trace

        event |= {"node": node, "pid": os.getpid()}
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event |= {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
        return event

    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            here,
        ],
    )


def spans(role: str) -> None:
    """Begin to make spans of our own, where a share of them is asked for."""
    from django.conf import settings

    from timeline.management.commands_of import near
    from timeline.telemetry import spans as own

    values = settings.THROUGHLINE
    own.begin(
        role,
        share=values["THROUGHLINE_OWN_TRACES"],
        endpoint=f"http://{near(values['THROUGHLINE_RECEIVER_HOST'])}:{values['THROUGHLINE_RECEIVER_PORT']}",
        key=values["THROUGHLINE_OWN_KEY"],
        node=values["THROUGHLINE_NODE"],
    )
