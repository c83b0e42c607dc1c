"""Shortens texts to hashes: for names that have little room, and to notice a change."""

import hashlib


def hash_shortly(text: str, length: int) -> str:
    """Return the first `length` hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]
