"""Small state machines to try things with; the last state ends them unless `Next` is given."""

from emulator.virtual.step_functions import ACCOUNT, REGION

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"


def task(function, **fields):
    """Give a Task that calls a function by its ARN, and is the last state unless told otherwise."""
    fields = fields if "Next" in fields else {"End": True, **fields}
    return {"Type": "Task", "Resource": f"{FUNCTION}:{function}:7", **fields}


def invoke(function, **fields):
    """Give the same as `task`, through the lambda:invoke integration."""
    parameters = {"FunctionName": f"{FUNCTION}:{function}:7", "Payload.$": "$"}
    resource = "arn:aws:states:::lambda:invoke"
    return task(function, **fields) | {"Resource": resource, "Parameters": parameters}


def machine(*, start=None, **states):
    """Give a definition; the first state is where it starts."""
    return {"StartAt": start or next(iter(states)), "States": states}


def over(items_path, **states):
    """Give a Map that runs the states for each item."""
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, **machine(**states)}
    return {"Type": "Map", "ItemsPath": items_path, "ItemProcessor": processor, "End": True}


def wait(seconds, **fields):
    """Give a Wait, the last state unless told otherwise."""
    return {"Type": "Wait", "Seconds": seconds, **(fields or {"End": True})}
