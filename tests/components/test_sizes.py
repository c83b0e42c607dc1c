"""Proves that a pipeline which is too large is refused with the number of solutions that fit.

tests/workflow/test_sizes.py compares the computed documents and histories with those of runs.
"""

import json
from dataclasses import replace

import pulumi
import pytest

from components import LimitsArgs, ProbeArgs, RetrainingPipeline, sizes
from components.lambda_functions import needed_steps
from components.naming import step_name
from components.rules.pipeline import problems
from functions import overlap
from functions.personalize import pacing
from functions.personalize.campaigns import LONGEST_USUAL_UPDATE
from tests.components.documents import text_of
from tests.components.recording import run
from tests.components.sample import complete, minimal
from tests.components.test_refusals import refused
from tests.program.sample_stack import changed, error_of
from tests.world import campaign, solution

NAME = "n" * 30
LONG_LIST = [f"{number:\U0001f3ac>120}" for number in range(249)]


def large(solutions, campaigns, characters=30, *, minutes=0, **changes):
    """Return arguments with this many campaigns for each solution, and probes of these minutes."""

    def name(start):
        return start.ljust(characters, "x")

    probe = ProbeArgs(user_id="u", minutes=minutes) if minutes else None
    args = minimal(
        solutions=[
            solution(
                name(f"s{index}"),
                campaigns=[name(f"c{index}-{number}") for number in range(campaigns)],
            )
            for index in range(solutions)
        ],
        **changes,
    )
    with_probes = [
        replace(each, campaigns=[replace(one, probe=probe) for one in each.campaigns])
        for each in args.solutions
    ]
    return replace(args, solutions=with_probes)


SHORT_TRAININGS = LimitsArgs(max_training_hours=1, max_campaign_hours=0.5)
PIPELINES = {
    "1 x 1": large(1, 1),
    "1 x 0": large(1, 0),
    "1 x 2, short trainings, probes of 5 minutes": large(1, 2, minutes=5, limits=SHORT_TRAININGS),
    "1 x 3, short trainings, probes of 5 minutes": large(1, 3, minutes=5, limits=SHORT_TRAININGS),
    "1 x 1, short trainings, a probe of a day": large(1, 1, minutes=1440, limits=SHORT_TRAININGS),
    "8 x 5": large(8, 5),
    "10 x 5 with the longest tags": large(
        10, 5, tags={f"{number:k<128}": "v" * 256 for number in range(38)}
    ),
    "10 x 5 with probes of 10 minutes": large(10, 5, minutes=10),
    "10 x 5 with short names and probes of 20 minutes": large(10, 5, 4, minutes=20),
    "10 x 6 with long names, short trainings": large(10, 6, 63, limits=SHORT_TRAININGS),
    "11 x 5": large(11, 5),
    "12 x 5": large(12, 5),
    "20 x 1 with short names, trainings of 72 hours": large(
        20, 1, 4, limits=LimitsArgs(max_training_hours=72)
    ),
    "24 x 5": large(24, 5),
    "20 x 5 and 1 x 0": replace(
        large(20, 5), solutions=[*large(20, 5).solutions, solution("last", campaigns=[])]
    ),
    "1 x 80": large(1, 80),
    "a list of 249 long items": minimal(
        solutions=[solution("m", campaigns=[campaign("h", user_id="u", input_list=LONG_LIST)])]
    ),
    "with every option": complete(),
}


def test_the_sizes_of_pipelines_are_those_of_the_golden_file(golden):
    paragraphs = []
    for name, args in PIPELINES.items():
        assert problems(args) == [], f"{name} has no other problems"
        step, characters = max(sizes.policy_characters(args).items(), key=lambda item: item[1])
        numbers = (
            f"{sizes.history_events(args)} events, {sizes.document_bytes(args, 120)} bytes, "
            f"{characters} characters for {step}, texts of {sizes.text_bytes(args)} bytes"
        )
        paragraphs += [f"{name}: {numbers}", *(f"  {line}" for line in sizes.problems(args))]
    golden("sizes.txt", text_of(paragraphs))


def test_the_number_of_solutions_or_campaigns_that_fit_is_the_largest():
    for args in (large(24, 5), large(1, 80)):
        (problem,) = sizes.problems(args)
        fitting = int(problem.message.partition("the first ")[2].split()[0])
        is_one = len(args.solutions) == 1
        assert sizes.problems(large(1, fitting) if is_one else large(fitting, 5)) == []
        assert sizes.problems(large(1, fitting + 1) if is_one else large(fitting + 1, 5)) != []


@pytest.mark.parametrize(
    ("limit", "size"),
    [
        ("MAX_EVENTS", sizes.history_events),
        ("MAX_DOCUMENT_BYTES", lambda args: sizes.document_bytes(args, sizes.SHORTEST_TEXT_BYTES)),
        ("MAX_POLICY_CHARACTERS", lambda args: max(sizes.policy_characters(args).values())),
    ],
)
def test_a_size_may_be_exactly_its_limit(limit, size, monkeypatch):
    args = large(1, 1)
    monkeypatch.setattr(sizes, limit, size(args))
    assert sizes.problems(args) == []
    monkeypatch.setattr(sizes, limit, size(args) - 1)
    assert sizes.problems(args) != []


def events_of_polls(expected_seconds, seconds):
    """Return the events of the polls of a job that ends after this time.

    An invocation that follows the last one at once has a Task and a Choice, otherwise also a Wait.
    """
    age, events = 0.0, 0
    while age < seconds:
        events += 7
        invocation_end = age + pacing.INVOCATION_SECONDS
        while age < seconds:
            pause = pacing.pause([expected_seconds], age)
            if pause > pacing.LONGEST_SLEEP:
                age += pause
                events += 2
                break
            if age + pause > invocation_end:
                break
            age += pause
    return events


@pytest.mark.parametrize("hours", [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 12, 24, 240])
def test_a_late_update_has_fewer_events_than_computed(hours):
    actual = max(events_of_polls(15 * number, hours * 3600) for number in range(1, 101))
    computed = sizes.late_update_events(hours)
    assert actual <= computed <= 1.05 * actual + 20


def test_an_update_that_is_not_late_has_fewer_events_than_computed():
    actual = max(events_of_polls(60 * number, 66 * number) for number in range(1, 26))
    assert actual + 2 == sizes.expected_update_events(), "and a Wait before the first poll"


@pytest.mark.parametrize("rate", ["rate(1 hour)", "rate(6 hours)", "rate(7 days)"])
def test_a_run_waits_for_an_older_run_with_fewer_events_than_computed(rate):
    args = minimal(retraining_rate=rate)
    longest = min(args.cadence_seconds / 2, overlap.LONGEST_OVERLAP.total_seconds())
    first_pause = args.limits.settle_seconds / 2
    waited, checks = 0.0, 1
    while waited < longest:
        growing_pause = min(waited * overlap.PAUSE_SHARE, overlap.LONGEST_PAUSE.total_seconds())
        waited += max(first_pause, growing_pause)
        checks += 1
    assert checks * sizes.EVENTS_PER_POLL <= sizes.overlap_events(args)


def test_the_numbers_of_the_functions_are_known():
    assert (sizes.LATE_SHARE, sizes.INVOCATION_SECONDS, sizes.EXPECTED_UPDATE_SECONDS) == (
        pacing.LATE_SHARE,
        pacing.INVOCATION_SECONDS,
        LONGEST_USUAL_UPDATE,
    )
    assert sizes.WAITED_DELAY_SECONDS == pacing.LONGEST_SLEEP / pacing.LATE_SHARE


def test_no_policy_is_longer_than_computed():
    args = complete(solutions=large(10, 5).solutions)
    engine = run(lambda: RetrainingPipeline(NAME, args) and None)
    computed = sizes.policy_characters(args)
    for step in needed_steps(args):
        names = [
            name
            for name in engine.all_of("aws:iam/rolePolicy:RolePolicy")
            if name in (step_name(NAME, step), f"{step_name(NAME, step)}-executions")
        ]
        assert names, f"{step} has a policy"
        actual = sum(len(json.dumps(engine.policy(name), separators=(",", ":"))) for name in names)
        assert actual <= computed[step] <= actual + 200, step


def test_the_component_checks_the_size_when_all_inputs_are_known():
    args = large(24, 5)
    first = replace(
        args.solutions[0], solution_arn=pulumi.Output.from_input(args.solutions[0].solution_arn)
    )
    later = replace(args, solutions=[first, *args.solutions[1:]])
    assert sizes.problems(later) == []
    assert sizes.text_bytes(later) == 120
    for make_args in (lambda: args, lambda: later):
        lines, resources = refused(make_args)
        assert lines == [str(problem) for problem in sizes.problems(args)]
        assert resources == []


def test_the_size_is_not_computed_while_there_are_other_problems():
    assert error_of(changed({"timezone": "?", "solutions": []})).startswith("2 problems")
