"""Builds import jobs for the tables of the rules."""

from datetime import UTC, datetime, timedelta

from functions.rules.imports import Import

NOW = datetime(2026, 11, 29, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FINGERPRINT = "a-1"
"""The fingerprint of the export: its location is `a`."""


def job(number=1, **fields):
    """Return a successful import job of an earlier run, which holds its export."""
    standard = {
        "arn": f"job-{number}",
        "dataset_arn": "items",
        "is_full": True,
        "is_running": False,
        "is_active": True,
        "created_at": NOW - 100 * HOUR + number * HOUR,
        "ended_at": NOW - 100 * HOUR + number * HOUR + 20 * MINUTE,
        "run_id": "earlier",
        "fingerprint": FINGERPRINT,
        "is_confirmed": True,
    }

    return Import(**{**standard, **fields})
