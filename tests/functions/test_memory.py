"""What an item remembers is the same after it has travelled through the document of a run."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from functions.memory import from_document, to_document


@dataclass
class Inner:
    """A dataclass in a memory."""

    at: datetime
    count: int = 0


@dataclass
class Outer:
    """A memory."""

    began_at: datetime
    inner: Inner | None = None
    seen_at: datetime | None = None
    reasons: list[str] = field(default_factory=list)
    is_sent: bool = False


NOW = datetime(2026, 11, 29, 3, 0, 0, 500, UTC)


def test_a_memory_is_read_as_it_was_written():
    memory = Outer(NOW, Inner(NOW, 2), NOW, ["too late"], is_sent=True)
    document = json.loads(json.dumps(to_document(memory)))
    assert from_document(Outer, document) == memory


def test_a_memory_without_optional_values_is_read_as_it_was_written():
    document = json.loads(json.dumps(to_document(Outer(NOW))))
    assert from_document(Outer, document) == Outer(NOW)
