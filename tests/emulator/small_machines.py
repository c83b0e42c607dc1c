"""Small state machines for tests. A state is the last one unless `Next` is given."""

from emulator.virtual.step_functions import ACCOUNT, REGION
from emulator.virtual.virtual_time import DEFAULT_START

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"


def task(function, **fields):
    """Return a Task that calls a function by its ARN."""
    fields = fields if "Next" in fields else {"End": True, **fields}
    return {"Type": "Task", "Resource": f"{FUNCTION}:{function}:7", **fields}


def invoke(function, **fields):
    """Return a Task that calls a function through the integration lambda:invoke."""
    parameters = {"FunctionName": f"{FUNCTION}:{function}:7", "Payload.$": "$"}
    resource = "arn:aws:states:::lambda:invoke"
    return task(function, **fields) | {"Resource": resource, "Parameters": parameters}


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


def wait_for_item():
    """Return a Wait of as many seconds as the input says."""
    return {"Type": "Wait", "SecondsPath": "$", "End": True}


LONG_STATES = {
    "Wait": wait(5000),
    "Task": task("work"),
    "Map of Wait": map_over("$.items", Rest=wait(5000)),
    "Map of Task": map_over("$.items", Work=task("work")),
}
"""States that take at least 800 seconds if the function `work` takes that long."""


def elapsed(clock):
    """Return the virtual seconds since the start of a clock."""
    return (clock.now() - DEFAULT_START).total_seconds()
