"""What a status of Personalize means: under way, done, or ended otherwise."""

from ..contract import Phase

UNDER_WAY = (" PENDING", " IN_PROGRESS", " STOPPING")
ENDED = (" FAILED", " STOPPED")


def phase_of(status: str) -> Phase:
    """Give the phase; an undocumented status counts as under way, which its deadline ends."""
    if status == "ACTIVE":
        return "ACTIVE"
    if status.endswith(ENDED) or status.startswith("DELETE "):
        return "ENDED"
    return "UNDER_WAY"


def is_hopeless(status: str) -> bool:
    """Tell whether a job never will be ACTIVE; one that is stopping has not even ended yet."""
    return phase_of(status) == "ENDED" or status.endswith(" STOPPING")


def warnings_of(status: str) -> list[str]:
    """Give a warning for a status that nobody documented."""
    if phase_of(status) == "UNDER_WAY" and not status.endswith(UNDER_WAY):
        return [f"the status {status!r} is unknown; taken for under way"]
    return []
