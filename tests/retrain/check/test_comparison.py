"""Proves what `retrain doctor` says about a stack that Pulumi compares, or cannot compare."""

import json

import pytest

from retrain.account.access import Access
from retrain.account.errors import OperatorError
from retrain.check.comparison import compare, explain_comparison
from retrain.check.examined_pipeline import find_pipeline
from retrain.check.preview import find_refreshed_states
from tests.retrain.check import answers as a
from tests.retrain.check.test_preview import recorded
from tests.retrain.in_process import STACK, UNCHANGED
from tests.world import MOVIES

NOT_COMPARED = "Pulumi did not compare the stack with AWS, so changes by hand are not named"
BEING_DEPLOYED = "the stack is being deployed just now; ask again when that has ended"
NO_PASSPHRASE = OperatorError("passphrase must be set with PULUMI_CONFIG_PASSPHRASE")


@pytest.fixture(scope="module")
def deployed():
    """Return an account with a pipeline."""
    with a.healthy(MOVIES) as prod:
        yield prod


@pytest.fixture
def compared(deployed):
    """Return a function that compares the stack by previews, and returns the findings.

    By default, the state is the one that the preview has read.
    """

    def compared(document, plain=NO_PASSPHRASE, state=None):
        deployed.previews = {True: document, False: plain}
        deployed.state = state or state_in(document)
        pipeline = find_pipeline(STACK, None, Access())
        return [*explain_comparison(compare(pipeline), pipeline)]

    return compared


def state_in(document):
    """Return the state that a preview has read."""
    if isinstance(document, OperatorError):
        return {}
    states = find_refreshed_states(document)
    return {"resources": [{"urn": urn, **state} for urn, state in states.items()]}


@pytest.mark.parametrize("name", ["damaged", "not_deployed"])
def test_golden_screen_of_a_recorded_preview(deployed, name, golden):
    document = recorded(name)
    deployed.previews = {True: document}
    deployed.state = state_in(document)
    result = deployed.retrain("doctor -s prod")
    _, _, after = result.out.partition("retraining-0a1b2c3d is deployed\n")
    lines, _, _ = after.partition("ok: functions")
    assert result.code == 1
    golden(f"stack_{name}.txt", lines)


def only(*kinds, name="not_deployed"):
    """Return a recorded preview with only the resources of these types."""
    document = recorded(name)
    kept = [
        step for step in document["steps"] if any(f":{kind}::" in step["urn"] for kind in kinds)
    ]
    return {**document, "steps": kept}


def test_what_is_only_not_deployed_is_no_problem(compared):
    start = "not deployed yet: Schedule retraining-live-schedule, "
    assert compared(only("Schedule")) == [
        ("warn", f"{start}scheduleExpressionTimezone: Europe/Dublin -> America/Lima", MEND),
        ("warn", f"{start}state: ENABLED -> DISABLED", MEND),
    ]


def test_without_the_right_to_read_everything_only_what_is_not_deployed_is_known(compared):
    reason = (
        "An error occurred (AccessDeniedException) when calling the X operation: not authorized"
    )
    denied = f"LogGroup retraining-dev-functions: Preview failed: {reason}"
    problem = ("missing", f"{NOT_COMPARED}: {denied}", None)
    first, *more = compared(recorded("denied"), plain=only("Schedule"))
    assert first == problem
    assert [finding.level for finding in more] == ["warn", "warn"]

    assert compared(recorded("denied")) == [problem], "the second preview has failed too"
    failed = {**only("Schedule"), "diagnostics": recorded("denied")["diagnostics"]}
    assert compared(recorded("denied"), plain=failed) == [problem], "it has no whole plan"


def trigger(*more_kinds):
    """Return a preview in which the trigger for exports was turned off by hand, and more."""
    text = json.dumps(only("EventRule", *more_kinds, name="damaged"))
    return text.replace("live-close-run", "live-start-on-export")


TRIGGER = "EventRule retraining-live-start-on-export"
MEND = "pulumi up --refresh --stack prod"


def test_a_trigger_that_was_turned_off_by_hand_is_perhaps_a_pause(compared):
    text = f"turned off by hand, so it starts no run: {TRIGGER}; `{MEND}` turns it on too"
    paused = ("warn", text, "retrain resume --stack prod")
    assert compared(json.loads(trigger())) == [paused]

    other_rule = compared(only("EventRule", name="damaged"))
    assert other_rule[0].level == "missing", "nobody would report a run that was stopped"


def test_a_command_that_mends_something_else_also_ends_a_pause(compared):
    first, rule, metric_filter = compared(json.loads(trigger("LogMetricFilter")))
    ends_pause = (
        "the pipeline is paused by hand, and the command that mends or deploys also ends the "
        "pause; if it should stay paused, pause it again at once"
    )
    assert first == ("warn", ends_pause, "retrain pause --stack prod")
    assert (rule.level, metric_filter.level) == ("warn", "missing")


def test_what_was_turned_on_by_hand_is_perhaps_the_end_of_a_pause_of_the_config(compared):
    text = trigger().replace("DISABLED", "ON").replace("ENABLED", "DISABLED")
    resumed = (
        f"resumed by hand, although the config says paused: {TRIGGER}; `{MEND}` would pause it "
        "again"
    )
    command = f"pulumi config set paused false --stack prod && {MEND}"
    document = json.loads(text.replace('"ON"', '"ENABLED"'))
    assert compared(document) == [("warn", resumed, command)]


def test_why_the_cli_gives_no_preview_is_a_problem_and_parts_are_looked_for(deployed, compared):
    assert compared(NO_PASSPHRASE) == [("missing", f"{NOT_COMPARED}: {NO_PASSPHRASE}", None)]

    result = deployed.retrain("doctor -s prod")
    assert result.code == 1
    assert "\nok: schedules: the schedule that starts runs; " in result.out
    assert "\n1 problem, " in result.out


def test_a_stack_whose_file_is_elsewhere_is_not_compared(deployed, compared):
    file = deployed.folder / "Pulumi.prod.yaml"
    text = file.read_text()
    file.unlink()
    findings = compared({})
    file.write_text(text)
    reason = "this folder has no Pulumi.prod.yaml; go to the folder of the project"
    assert findings == [("missing", f"{NOT_COMPARED}: {reason}", None)]


def test_the_work_of_an_update_is_not_shown_as_damage(compared):
    document = recorded("damaged")
    read = state_in(document)
    updating = {**read, "pending_operations": [{"type": "updating"}]}
    written = {"resources": [{**row, "modified": "now"} for row in read["resources"]]}
    for state in (updating, written, {"resources": read["resources"][1:]}):
        assert compared(document, state=state) == [
            ("missing", f"{NOT_COMPARED}: {BEING_DEPLOYED}", None)
        ]

    assert len(compared(document)) > 1, "the state is the same"
    assert [row.level for row in compared(UNCHANGED, state=updating)] == ["ok"], "nothing to do"
