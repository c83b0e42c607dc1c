"""Small state machines for tests. A state is the last one unless `Next` is given."""

from emulator.virtual.step_functions import ACCOUNT, REGION
from emulator.virtual.virtual_time import DEFAULT_START

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"


def task(function, **fields):
    """Return a Task that calls a function."""
    fields = fields if "Next" in fields else {"End": True, **fields}
    return {"Type": "Task", "Resource": f"{FUNCTION}:{function}:7", **fields}


def machine(**states):
    """Return a definition that starts at the first state."""
    return {"StartAt": next(iter(states)), "States": states}


def map_over(items_path, **states):
    """Return a Map that runs the states for each item."""
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, **machine(**states)}
    return {"Type": "Map", "ItemsPath": items_path, "ItemProcessor": processor, "End": True}


def wait(seconds, **fields):
    """Return a Wait."""
    return {"Type": "Wait", "Seconds": seconds, **(fields or {"End": True})}


def replies(*outcomes):
    """Return a handler that returns or raises one outcome in each call.

    A call without an outcome raises AssertionError, which fails the state.
    """
    remaining = iter(outcomes)

    def handler(event, _context):
        for outcome in remaining:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        raise AssertionError(f"called more than {len(outcomes)} times: {event}")

    return handler


def elapsed(clock):
    """Return the virtual seconds since the start of a clock."""
    return (clock.now() - DEFAULT_START).total_seconds()
