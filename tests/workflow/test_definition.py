"""The state machine has the expected states, and rules hold for all of them."""

import inspect
import json

from botocore.session import get_session

from components.function_configs import FUNCTION_CONFIGS, FUNCTION_TIMEOUT_SECONDS
from components.lambda_functions import FUNCTIONS_CALLED_BY_EVENTS
from components.state_machine import asl
from components.state_machine import definition as module
from functions.common import errors
from functions.reconcile import ACTING_TIME
from tests.definitions import machines, problems
from tests.workflow.pipeline import definition_of
from tests.world import MOVIES, largest_group

DEFINITION = definition_of(MOVIES)

RESERVED = {
    # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    "States.Timeout",
    # https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    # Lambda's names for a function that ran out of time or was killed.
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
}
CONTENTS = {
    "run": [
        "Configure run",
        "Plan retraining",
        "What is there to do?",
        "Wait to begin",
        "Import datasets",
        "Were all datasets imported?",
        "Retrain solutions",
        "Were these only trials?",
        "Report outcome",
        "Did the run succeed?",
        "Retrained",
        "Retraining failed",
        "Report failed",
    ],
    "each dataset": [
        "Import dataset",
        "How is the import?",
        "Wait for the import",
        "Wait to import",
        "Dataset imported",
        "Dataset not imported",
    ],
    "each solution": [
        "Are there only trials?",
        "Train solution",
        "How is the training?",
        "Wait for the training",
        "Wait to train",
        "Update campaigns",
        "Run batch jobs",
        "Solution finished",
    ],
    "each campaign": [
        "Deploy version",
        "How is the campaign?",
        "Wait for the update",
        "Wait for the rollback",
        "Wait for the bake",
        "Campaign updated",
        "Campaign rolled back",
        "Campaign left as it is",
        "Campaign not updated",
    ],
    "each batch job": [
        "Run batch job",
        "How is the batch job?",
        "Wait for the batch job",
        "Batch job finished",
    ],
}


def states(state_type=None):
    """Return the name and the state of all states, or of all states of a type."""
    return [
        (name, state)
        for machine in machines(DEFINITION)
        for name, state in machine["States"].items()
        if state_type in (None, state["Type"])
    ]


def function_of(task):
    """Return the name of the function that a Task calls."""
    return task["Resource"].split(":")[6]


def test_the_states_have_the_expected_names_and_order():
    found = [(machine["StartAt"], [*machine["States"]]) for machine in machines(DEFINITION)]
    assert found == [(names[0], names) for names in CONTENTS.values()]


def test_the_definition_has_no_problems():
    assert problems(DEFINITION) == []


def test_a_task_has_the_name_of_its_function():
    functions = {name: function_of(state) for name, state in states("Task")}
    assert functions == {name: name.lower().replace(" ", "_") for name in functions}


def test_every_function_except_close_run_is_called_by_a_task():
    called = {function_of(state) for _, state in states("Task")}
    assert set(FUNCTION_CONFIGS) - called == FUNCTIONS_CALLED_BY_EVENTS, "EventBridge calls them"


def test_every_task_has_a_longer_timeout_than_its_function():
    timeouts = {state["TimeoutSeconds"] for _, state in states("Task")}
    assert min(timeouts) > FUNCTION_TIMEOUT_SECONDS, (
        "the error of the function's own time-out says more"
    )


def test_every_task_retries_the_same_errors():
    retries = {
        name: [(rule["ErrorEquals"], rule["MaxAttempts"]) for rule in state["Retry"]]
        for name, state in states("Task")
    }
    throttled, unanswered, killed = retries["Plan retraining"]
    assert throttled == (["Throttled"], 9)
    assert unanswered == (["ServiceUnavailable", "ResourceNotFoundException"], 5)
    assert killed == (asl.PLATFORM_ERRORS, 5)

    while_on_trial = (asl.PLATFORM_ERRORS, 24 * 2 + 3)
    assert retries.pop("Deploy version") == [throttled, unanswered, while_on_trial]
    assert set(map(str, retries.values())) == {str([throttled, unanswered, killed])}


def test_a_killed_function_is_called_again_for_a_day_and_the_longest_bake():
    args = largest_group(bake_hours=12).args
    assert module.build_trial_retry_policy(args) == asl.RetryPolicy(
        max_attempts=36 * 2 + 3, max_pause_seconds=1800
    )


def test_a_function_that_writes_has_ended_before_its_retry_starts():
    """Two invocations at the same time would both find no job, and would both create one."""
    for name, state in states("Task"):
        for retry in state["Retry"][1:]:
            assert retry["IntervalSeconds"] > ACTING_TIME.total_seconds() + 70, (
                "a loop changes something in its first minute only, and a request takes 70 seconds"
            )
            assert retry["JitterStrategy"] == "NONE", f"{name}: a random pause may be shorter"


def test_every_task_and_every_map_catches_all_errors():
    for name, state in [*states("Task"), *states("Map")]:
        catchers = [(catcher["ErrorEquals"], catcher["ResultPath"]) for catcher in state["Catch"]]
        assert catchers == [(["States.ALL"], "$.error")], name


def test_every_result_path_is_written_out():
    for name, state in states():
        if state["Type"] in ("Task", "Map", "Pass"):
            assert "ResultPath" in state, name


def test_every_error_that_is_matched_exists():
    own_errors = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    model = get_session().get_service_model("personalize")
    service_errors = {shape.name for shape in model.error_shapes}
    rules = [rule for _, state in states("Task") for rule in state["Retry"]]
    matched = {error for rule in rules for error in rule["ErrorEquals"]}
    of_the_platform = matched - own_errors - service_errors

    assert of_the_platform == RESERVED, "a misspelled name is a retry that never happens"


def test_an_item_of_a_map_always_ends_normally():
    for machine in list(machines(DEFINITION))[1:]:
        end_types = {
            state["Type"]
            for state in machine["States"].values()
            if "Next" not in state and state["Type"] != "Choice"
        }
        assert end_types == {"Pass"}, "a failed item would stop the other items"


def test_every_path_of_the_run_leads_to_the_report():
    run_states = DEFINITION["States"]
    predecessors = {
        name for name, state in run_states.items() if "Report outcome" in json.dumps(state)
    }

    assert predecessors == {
        "Plan retraining",
        "What is there to do?",
        "Import datasets",
        "Were all datasets imported?",
        "Retrain solutions",
        "Were these only trials?",
    }


def test_only_a_failed_campaign_ends_in_the_state_of_an_error():
    choices = dict(states("Choice"))["How is the campaign?"]["Choices"]
    ends = {rule["StringEquals"]: rule["Next"] for rule in choices if "outcome" in rule["Variable"]}
    failed = [outcome for outcome, end in ends.items() if end == "Campaign not updated"]

    assert failed == ["FAILED"], "this state writes FAILED as the outcome"
