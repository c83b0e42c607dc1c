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
from tests.components.documents import ROLE_POLICY
from tests.components.recording import run
from tests.components.sample import complete, minimal
from tests.components.test_refusals import error_of
from tests.program.sample_stack import (
    CAMPAIGN,
    PROJECT,
    SOLUTION,
    changed,
)
from tests.program.sample_stack import (
    error_of as config_error,
)
from tests.world import campaign, solution

NAME = "n" * 30


def large(solutions, campaigns, characters=30, **changes):
    """Return arguments with this many campaigns for each solution."""

    def name(start):
        return start.ljust(characters, "x")

    return minimal(
        solutions=[
            solution(
                name(f"s{index}"),
                campaigns=[name(f"c{index}-{number}") for number in range(campaigns)],
            )
            for index in range(solutions)
        ],
        **changes,
    )


def messages(args):
    assert problems(args) == [], "the arguments have no other problems"
    return [str(problem) for problem in sizes.problems(args)]


def test_ten_solutions_with_five_campaigns_fit_with_the_longest_tags():
    tags = {f"{number:k<128}": "v" * 256 for number in range(38)}
    assert messages(large(10, 5, tags=tags)) == []


def with_probes(args, minutes):
    """Return the arguments with a probe of this length at each campaign."""
    probe = ProbeArgs(user_id="u", minutes=minutes)
    return replace(
        args,
        solutions=[
            replace(each, campaigns=[replace(one, probe=probe) for one in each.campaigns])
            for each in args.solutions
        ],
    )


def test_ten_solutions_with_five_campaigns_fit_although_an_earlier_run_left_all_on_trial():
    args = with_probes(large(10, 5), ProbeArgs(user_id="u").minutes)
    assert messages(args) == []
    assert 0.95 * sizes.MAX_EVENTS < sizes.history_events(args) < sizes.MAX_EVENTS


def test_the_trials_of_earlier_runs_can_fill_the_history():
    args = with_probes(large(10, 5, 4), 20)
    (message,) = messages(args)
    assert message == (
        f"solutions: 10 solutions with 5 campaigns each need {sizes.history_events(args):,} events "
        "in the history of an execution if the jobs take until their deadlines (at most 25,000; "
        "shorter limits cause fewer); the first 9 of the solutions fit, so give the others a stack "
        "of their own"
    )


def test_each_campaign_adds_a_trial_and_an_update():
    def events(campaigns):
        args = large(1, campaigns, limits=LimitsArgs(max_training_hours=1))
        return sizes.history_events(with_probes(args, 5))

    trial = sizes.EVENTS_OF_TRIAL + 2 * 44 + 2 * 7
    update = sizes.EVENTS_OF_CAMPAIGN + 44 + 2 * 7
    late_polls = events(3) - events(2) - trial - update
    assert 177 <= late_polls <= 200, "three hours of polls, and one is expected within 25 minutes"


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


def test_a_pipeline_that_is_too_large_says_how_many_solutions_fit():
    assert messages(large(24, 5)) == [
        (
            f"solutions: 24 solutions with 5 campaigns each need "
            f"{sizes.document_bytes(large(24, 5), 120):,} bytes in the state of an execution (at "
            "most 262,144), and "
            f"{sizes.policy_characters(large(24, 5))['plan_retraining']:,} characters in the "
            "policies of the role of plan_retraining (at most 10,240), and 49,717 events in the "
            "history of an execution if the jobs take until their deadlines (at most 25,000; "
            "shorter limits cause fewer); the first 11 of the solutions fit, so give the others a "
            "stack of their own"
        )
    ]
    assert messages(large(11, 5)) == []
    assert messages(large(12, 5)) != []


def test_long_names_make_a_policy_too_long():
    args = large(10, 6, 63, limits=LimitsArgs(max_campaign_hours=0.5, max_training_hours=1))
    assert sizes.history_events(args) < sizes.MAX_EVENTS
    (message,) = messages(args)
    assert "characters in the policies of the role of plan_retraining (at most 10,240)" in message


def test_late_jobs_of_many_solutions_fill_the_history():
    limits = LimitsArgs(max_training_hours=72)
    (message,) = messages(large(20, 1, 4, limits=limits))
    assert message == (
        "solutions: 20 solutions with 1 campaign each need 42,713 events in the history of an "
        "execution if the jobs take until their deadlines (at most 25,000; shorter limits cause "
        "fewer); the first 11 of the solutions fit, so give the others a stack of their own"
    )


def test_a_solution_with_too_many_campaigns_says_how_many_fit():
    args = large(1, 80)
    (message,) = messages(args)
    start, _, end = message.partition(" needs ")
    assert start == "solutions[0].campaigns: 1 solution with 80 campaigns"
    fitting = int(end.rpartition("the first ")[2].split()[0])
    assert end.endswith(
        f"the first {fitting} of the campaigns fit, so give the others a stack of their own, or "
        "shorten the tags and the inputLists"
    )
    assert messages(large(1, fitting)) == []
    assert messages(large(1, fitting + 1)) != []


def test_solutions_with_different_numbers_of_campaigns_are_counted_together():
    args = large(20, 5)
    args = replace(args, solutions=[*args.solutions, solution("last", campaigns=[])])
    (message,) = messages(args)
    assert message.startswith("solutions: 21 solutions with 100 campaigns need ")


def test_a_campaign_whose_input_list_is_too_long_does_not_fit():
    probe = {"user_id": "u", "input_list": [f"{number:\U0001f3ac>120}" for number in range(249)]}
    (message,) = messages(
        minimal(solutions=[solution("movies", campaigns=[campaign("home", **probe)])])
    )
    assert "the first 0 of the campaigns fit" in message


def test_a_large_pipeline_has_shorter_texts():
    assert sizes.text_bytes(large(1, 1)) == 500
    assert 120 < sizes.text_bytes(large(8, 5)) < 500
    assert sizes.text_bytes(large(24, 5)) == 120


@pytest.mark.parametrize("make_args", [minimal, complete, lambda: large(10, 5)])
def test_no_policy_is_longer_than_computed(make_args):
    args = make_args()

    def program():
        RetrainingPipeline(NAME, make_args())

    engine = run(program)
    computed = sizes.policy_characters(args)
    for step in needed_steps(args):
        names = [
            name
            for name in engine.all_of(ROLE_POLICY)
            if name in (step_name(NAME, step), f"{step_name(NAME, step)}-executions")
        ]
        assert names, f"{step} has a policy"
        actual = sum(len(json.dumps(engine.policy(name), separators=(",", ":"))) for name in names)
        assert actual <= computed[step] <= actual + 200, step


def test_the_component_refuses_before_it_creates_anything():
    assert error_of(lambda: large(24, 5)).startswith(
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  solutions: 24 solutions with 5 campaigns each need "
    )


def test_inputs_that_are_known_only_later_are_checked_then():
    args = large(24, 5)
    first = replace(
        args.solutions[0], solution_arn=pulumi.Output.from_input(args.solutions[0].solution_arn)
    )
    later = replace(args, solutions=[first, *args.solutions[1:]])
    assert sizes.problems(later) == []
    assert sizes.text_bytes(later) == 120
    assert "solutions: 24 solutions with 5 campaigns each need" in error_of(lambda: later)


def test_a_config_that_is_too_large_is_refused():
    config = changed(
        {
            "solutions": [
                {
                    "solutionArn": f"{SOLUTION}-{index}",
                    "campaigns": [
                        {"campaignArn": f"{CAMPAIGN}-{index}-{number}"} for number in range(5)
                    ],
                }
                for index in range(24)
            ]
        }
    )
    assert config_error(config).startswith(
        "1 problem in the configuration of stack dev:\n"
        f"  {PROJECT}:solutions: 24 solutions with 5 campaigns each need "
    )


def test_the_size_is_not_computed_while_there_are_other_problems():
    assert config_error(changed({"timezone": "?", "solutions": []})).startswith("2 problems")


def test_a_probe_of_a_day_has_many_events():
    minutes = ProbeArgs(user_id="u", minutes=1440)
    args = minimal(solutions=[solution("movies", campaigns=[campaign("home")])])
    probed = replace(
        args,
        solutions=[
            replace(
                args.solutions[0],
                campaigns=[replace(args.solutions[0].campaigns[0], probe=minutes)],
            )
        ],
        limits=LimitsArgs(max_training_hours=1),
    )
    plain = replace(args, limits=LimitsArgs(max_training_hours=1))
    assert sizes.history_events(probed) - sizes.history_events(plain) == 4 * 288 * 7, (
        "both versions are probed, in the trial of an earlier run and in the trial of this run"
    )
