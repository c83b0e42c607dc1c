"""The shape of the state machine that is deployed: what it consists of, and what holds for all."""

import inspect
import json
from typing import get_args, get_type_hints

from botocore.session import get_session

from components.state_machine import definition as module
from components.state_machine.asl import machines, problems
from components.state_machine.steps import STEPS
from functions import errors, executions
from functions.contract import Evaluation, Phase, Probing
from tests.workflow.pipeline import definition_of
from tests.world import MOVIES

DEFINITION = definition_of(MOVIES)

RESERVED = {
    # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    "States.ALL",
    "States.Timeout",
    # https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    # What Lambda names a function that ran out of time or was killed.
    "Sandbox.Timedout",
    "Runtime.ExitError",
}
CONTENTS = {
    "run": [
        "Configure run",
        "Plan retraining",
        "Is there anything to do?",
        "Import datasets",
        "Were all datasets imported?",
        "Retrain solutions",
        "Report outcome",
        "Did the run succeed?",
        "Retrained",
        "Retraining failed",
        "Report failed",
    ],
    "each dataset": [
        "Create dataset import job",
        "Has the dataset import job ended?",
        "Wait for dataset import job",
        "Watch dataset import job",
        "Wait for a free import slot",
        "Dataset imported",
        "Dataset not imported",
    ],
    "each solution": [
        "Create solution version",
        "Has the solution version ended?",
        "Wait for solution version",
        "Watch solution version",
        "Stop solution version",
        "Update campaigns",
        "Solution finished",
    ],
    "each campaign": [
        "Evaluate solution version",
        "Is the solution version good enough?",
        "Update campaign",
        "Has the campaign update ended?",
        "Wait for campaign update",
        "Watch campaign update",
        "Wait for the campaign to be free",
        "Wait to ask the gate again",
        "Is there a probe?",
        "Probe campaign",
        "Does the campaign serve well?",
        "Roll back campaign",
        "Has the rollback ended?",
        "Wait for rollback",
        "Watch rollback",
        "Wait to roll back",
        "Campaign updated",
        "Solution version rejected",
        "Campaign rolled back",
        "Campaign serves a newer version",
        "Campaign not updated",
    ],
}


def states(of_type=None):
    """Give name and state of all states, or of those of a type."""
    return [
        (name, state)
        for machine in machines(DEFINITION)
        for name, state in machine["States"].items()
        if of_type in (None, state["Type"])
    ]


def errors_matched(value):
    """Give every name in an ErrorEquals, wherever it stands."""
    if isinstance(value, dict):
        yield from value.get("ErrorEquals", ())
        for inner in value.values():
            yield from errors_matched(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from errors_matched(inner)


def test_the_states_in_order_are_the_table_of_contents():
    found = [list(machine["States"]) for machine in machines(DEFINITION)]
    assert found == list(CONTENTS.values()), "one list for the run and for each Map inside"


def test_each_machine_starts_with_its_first_state():
    found = [machine["StartAt"] for machine in machines(DEFINITION)]
    assert found == [names[0] for names in CONTENTS.values()]


def test_the_definition_is_sound():
    assert problems(DEFINITION) == []


def test_the_definition_is_json():
    assert json.loads(json.dumps(DEFINITION)) == DEFINITION, "no tuples, no other objects"


def test_state_names_are_short_enough():
    longest = max((name for name, _ in states()), key=len)
    assert len(longest) <= 80, f"{longest!r}: Step Functions takes 80 characters"


def test_a_task_is_called_like_its_function():
    found = {name: state["Resource"].split(":")[6] for name, state in states("Task")}
    expected = {name: name.lower().replace(" ", "_") for name in found}
    assert found == {**expected, "Watch rollback": "watch_campaign_update"}, (
        "a rollback is an update, and watched as one"
    )


def test_every_function_is_called_by_a_task_but_the_one_that_stands_by():
    called = {state["Resource"].split(":")[6] for _, state in states("Task")}
    assert set(STEPS) - called == {"close_run"}, "close_run is called by EventBridge"


def test_every_task_outlives_its_function():
    for name, state in states("Task"):
        function = STEPS[state["Resource"].split(":")[6]]
        assert state["TimeoutSeconds"] > function.timeout_seconds, (
            f"{name}: the function's own time-out tells more"
        )


def test_every_task_tries_again_with_a_cap():
    for name, state in states("Task"):
        for retry in state["Retry"]:
            rest = {key: value for key, value in retry.items() if key != "ErrorEquals"}
            assert set(rest) == {
                "IntervalSeconds",
                "BackoffRate",
                "MaxDelaySeconds",
                "MaxAttempts",
                "JitterStrategy",
            }, name
        tried = set(errors_matched(state["Retry"]))
        assert {"Throttled", "ServiceUnavailable", "Sandbox.Timedout"} <= tried, name


def test_only_where_nothing_was_done_may_jitter_cut_the_pause_short():
    for name, state in states("Task"):
        jitter = {
            error: retry["JitterStrategy"]
            for retry in state["Retry"]
            for error in retry["ErrorEquals"]
        }
        assert {error for error, strategy in jitter.items() if strategy == "FULL"} == {
            "Throttled",
            "Lambda.TooManyRequestsException",
            "ResourceNotFoundException",
        }, f"{name}: what was created must be listed before anybody looks for it"


def test_whatever_writes_has_ended_before_it_is_tried_again():
    """Else two that look for what they created would both find nothing, and both create it."""
    writers = ("Create", "Stop", "Update", "Tag", "PassRole")
    for name, state in states("Task"):
        step = STEPS[state["Resource"].split(":")[6]]
        actions = [each.partition(":")[2] for actions_ in step.may.values() for each in actions_]
        for retry in state["Retry"]:
            if "Lambda.Unknown" in retry["ErrorEquals"] and any(
                action.startswith(writers) for action in actions
            ):
                assert retry["IntervalSeconds"] > step.timeout_seconds, name


def test_every_task_and_every_map_has_a_way_out_for_all_errors():
    for name, state in [*states("Task"), *states("Map")]:
        caught = [(rule["ErrorEquals"], rule["ResultPath"]) for rule in state["Catch"]]
        assert caught == [(["States.ALL"], "$.error")], name


def test_every_result_path_is_written_out():
    for name, state in states():
        if state["Type"] in ("Task", "Map", "Pass"):
            assert "ResultPath" in state, name


def test_every_choice_has_a_default():
    assert [name for name, state in states("Choice") if "Default" not in state] == []


def asked_for(ending):
    """Give the words that Choices compare variables with whose path ends so."""
    return {
        rule["StringEquals"]
        for _, state in states("Choice")
        for rule in state["Choices"]
        if rule.get("Variable", "").endswith(ending)
    }


def test_a_choice_by_phase_knows_only_phases_that_there_are():
    asked = set().union(*map(asked_for, (".job.phase", "version.phase", "update.phase")))
    assert asked | {"UNDER_WAY"} == set(get_args(Phase)), "UNDER_WAY is every Choice's default"
    assert asked_for("rollback.phase") < asked, "a way back ends like a way forth"


def test_the_other_choices_know_only_words_that_there_are():
    words = {
        "evaluation.verdict": get_args(get_type_hints(Evaluation)["verdict"]),
        "probing.phase": get_args(get_type_hints(Probing)["phase"]),
    }
    left = {ending: set(known) - asked_for(ending) for ending, known in words.items()}
    assert left == {"evaluation.verdict": {"REJECTED"}, "probing.phase": {"FAILED"}}, (
        "each leaves one word, the bad one, to the default"
    )


def test_every_error_that_is_matched_exists():
    ours = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    model = get_session().get_service_model("personalize")
    modelled = {shape.name for shape in model.error_shapes}
    unknown = set(errors_matched(DEFINITION)) - ours - modelled - RESERVED
    assert unknown == set(), "a name that nobody raises is a retry that never happens"


def test_nothing_inside_a_map_can_end_it_but_a_normal_end():
    for machine in list(machines(DEFINITION))[1:]:
        ends = {
            name: state["Type"] for name, state in machine["States"].items() if "Next" not in state
        }
        ends = {name: kind for name, kind in ends.items() if kind != "Choice"}
        assert set(ends.values()) == {"Pass"}, f"one failed item would stop the others: {ends}"


def test_every_path_of_the_run_itself_ends_in_the_report():
    top = DEFINITION["States"]
    after = {name for name, state in top.items() if "Report outcome" in json.dumps(state)}
    assert after == {
        "Plan retraining",
        "Is there anything to do?",
        "Import datasets",
        "Were all datasets imported?",
        "Retrain solutions",
    }


def test_the_error_of_a_reported_run_is_the_one_that_close_run_leaves_alone():
    assert module.REPORTED == executions.REPORTED
    assert DEFINITION["States"]["Retraining failed"]["Error"] == executions.REPORTED
