"""Computes short hashes, for names with a length limit and to detect changes."""

import hashlib


def compute_short_hash(text: str, length: int) -> str:
    """Return the first `length` hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]
