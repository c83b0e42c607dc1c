"""The sample data of a rehearsal, which tests of other programs import as well."""

from functools import cache

from retrain.rehearsal.data import SAMPLE_FOLDER, RehearsalData, read_data

KEYS = ("interactions", "users", "items", "actions", "actionInteractions")


@cache
def sample_data() -> RehearsalData:
    """Return the sample data of all datasets that a stack can have."""
    return read_data(SAMPLE_FOLDER, dict.fromkeys(KEYS, "FULL"))
