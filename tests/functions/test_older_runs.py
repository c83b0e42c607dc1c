"""What the executions of the state machine tell: is an older run of it under way?"""

from datetime import datetime, timedelta

import pytest

from functions.executions import older_run

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
BEGAN = datetime.fromisoformat("2026-11-29T03:00:00.123+00:00")
LATER = timedelta(milliseconds=1)


def arn(name):
    return MACHINE.replace(":stateMachine:", ":execution:") + f":{name}"


OURS = {"executionArn": arn("ours"), "startedAt": "2026-11-29T03:00:00.123Z"}


def listed(executions, *running):
    """Let the list say that these are under way: name and start of each, on two pages."""
    pages = (running[:1], running[1:])
    for page, (found, token) in enumerate(zip(pages, ("more", None), strict=True)):
        executions.says(
            "list_executions",
            {
                "executions": [
                    {
                        "executionArn": arn(name),
                        "name": name,
                        "stateMachineArn": MACHINE,
                        "status": "RUNNING",
                        "startDate": began,
                    }
                    for name, began in found
                ],
                **({"nextToken": token} if token else {}),
            },
            stateMachineArn=MACHINE,
            statusFilter="RUNNING",
            **({"nextToken": "more"} if page else {}),
        )


@pytest.mark.parametrize(
    ("running", "older"),
    [
        pytest.param([("ours", BEGAN)], None, id="itself alone"),
        pytest.param([], None, id="nobody, itself not listed yet"),
        pytest.param([("ours", BEGAN), ("a", BEGAN + LATER)], None, id="a younger one"),
        pytest.param([("ours", BEGAN), ("z", BEGAN - LATER)], "z", id="an older one"),
        pytest.param([("z", BEGAN - LATER)], "z", id="an older one, itself not listed yet"),
        pytest.param([("ours", BEGAN), ("a", BEGAN)], "a", id="at once, and first by ARN"),
        pytest.param([("ours", BEGAN), ("z", BEGAN)], None, id="at once, and second by ARN"),
        pytest.param(
            [("b", BEGAN - LATER), ("c", BEGAN - 2 * LATER), ("ours", BEGAN)], "c", id="the oldest"
        ),
    ],
)
def test_an_older_run_is_one_that_began_earlier_or_comes_first(executions, running, older):
    listed(executions, *running)
    assert older_run(executions.client, OURS) == (older and arn(older))


def test_a_run_whose_list_tells_its_start_less_precisely_is_not_older_than_itself(executions):
    listed(executions, ("ours", BEGAN))
    precise = {**OURS, "startedAt": "2026-11-29T03:00:00.123456Z"}
    assert older_run(executions.client, precise) is None


def test_two_that_are_listed_as_begun_at_once_do_not_both_give_way(executions):
    both = [("a", BEGAN), ("ours", BEGAN)]
    precise = {"a": "2026-11-29T03:00:00.123456Z", "ours": "2026-11-29T03:00:00.123999Z"}
    found = []
    for name, started in precise.items():
        listed(executions, *both)
        run = {"executionArn": arn(name), "startedAt": started}
        found.append(older_run(executions.client, run))
    assert found == [None, arn("a")]
