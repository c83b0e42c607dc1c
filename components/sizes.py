"""Computes the largest sizes that a pipeline can reach, and refuses what AWS does not allow.

AWS refuses a policy that is too long, but only after other resources were created. It also ends a
run while it works if its state or history is too large, and no state can catch this. The sizes
depend on the numbers of solutions and campaigns and on the lengths of their names, so they are
known at preview.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import NamedTuple

import pulumi

from . import iam
from .args import (
    SECONDS_PER_HOUR,
    CampaignArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
)
from .lambda_functions import first_grants, later_grants, needed_steps
from .naming import MAX_NAME_CHARACTERS, RANDOM_SUFFIX_CHARACTERS
from .rules.arns import MAX_ARN_CHARACTERS, parse_arn
from .rules.values import Problem
from .state_machine.steps import STEPS
from .workflow_settings import LONGEST_TEXT_BYTES, workflow_settings

MAX_DOCUMENT_BYTES = 256 * 1024
"""The most bytes of the state of an execution.

The definition of the state machine may have 1 MB. It contains the settings, which are a part of the
state, and some 30 KB more.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""
MAX_POLICY_CHARACTERS = 10_240
"""The most characters of all inline policies of a role, without white space:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
MAX_EVENTS = 25_000
"""The most events in the history of an execution (the page of MAX_DOCUMENT_BYTES)."""

SHORTEST_TEXT_BYTES = 120
"""The lowest limit of a text from outside in the document of a run, for example a failure reason.

A large pipeline has shorter texts, so that its document fits. The log has the complete texts.
"""
WARNINGS_BYTES = 8_000
"""The warnings of the plan (`functions/texts.py`)."""


class _Part(NamedTuple):
    """What a dataset, a solution or a campaign adds to the document of a run, in its worst case."""

    fixed: int
    """Bytes of the keys, times, statuses, numbers and tags, with a reserve."""
    arns: int
    """How often the ARN of the part is in the document: in the plan and in the results."""
    versions: int
    """How often the ARN of a solution version is in the document."""
    texts: int
    """How many texts from outside are in the document. An error counts twice, because its text is
    JSON in JSON."""


# tests/workflow/test_sizes.py compares these numbers with the documents of whole runs.
DATASET = _Part(fixed=1_700, arns=2, versions=0, texts=4)
SOLUTION = _Part(fixed=1_500, arns=4, versions=2, texts=4)
CAMPAIGN = _Part(fixed=1_900, arns=5, versions=5, texts=6)
RULE = _Part(fixed=120, arns=0, versions=0, texts=1)
RUN_BYTES = 2_000
"""The bytes of the identity of the run, and of everything that is not about one of the parts."""
VERSION_ID_BYTES = 12
"""The bytes of the id in the ARN of a solution version, with the slash before it."""

EVENTS_PER_POLL = 9
"""A Choice, a Wait and a Task."""
EVENTS_PER_INVOCATION = 7
"""A Task and a Choice: an invocation of a probe, or a poll without a Wait before it."""
EVENTS_OF_DATASET, EVENTS_OF_SOLUTION, EVENTS_OF_CAMPAIGN, EVENTS_OF_TRIAL = 11, 22, 41, 20
"""The events of an iteration of each Map without its polls and probes. There are 5 for a Task, 2
for another state, 2 more for a Map, and 2 for the iteration. A training is stopped, and a campaign
is rolled back."""
EVENTS_OF_RUN = 200
"""The events of the states that are in no Map, without the waits for an older run. Each retry of
the report has three events."""
POLLS_OF_EXPECTED_JOB = 10
"""The polls of an import or a training that takes as long as expected."""
INVOCATION_SECONDS = 300
"""The time for which one invocation polls, or sends the requests of a probe. The invocations
follow each other without a Wait until an update is a few minutes late."""
EXPECTED_UPDATE_SECONDS = 25 * 60
"""The longest time in which an update is expected (`functions/personalize/campaigns.py`)."""
LATE_SHARE = 1 / 3
"""The pauses between the polls of a late job, as a share of its delay (`pacing.py`, also the next
two numbers)."""
WAITED_DELAY_SECONDS = 135
"""The delay from which the pauses are so long that they are Wait states: LATE_SHARE of it is 45."""
EXPECTED_SPREAD = 1.29
"""A job is late after this part of its expected duration."""


def problems(args: RetrainingPipelineArgs) -> list[Problem]:
    """Return a problem if the pipeline is too large, with the number of solutions that would fit.

    The arguments must have no other problems. If an input is not known yet, nothing is checked.
    """
    excesses = _excesses(args) if _is_known(args) else []
    if not excesses:
        return []
    solutions = args.solutions
    count = _largest(len(solutions), lambda n: _fits(args, solutions[:n]))
    if count > 0:
        message = (
            f"{_in_words(solutions)} need {', and '.join(excesses)}; the first {count} of the "
            "solutions fit, so give the others a stack of their own"
        )
        return [Problem("solutions", message)]
    first = solutions[0]
    only_first = replace(args, solutions=[first])
    campaigns = _largest(
        len(first.campaigns),
        lambda n: _fits(args, [replace(first, campaigns=first.campaigns[:n])]),
    )
    message = (
        f"{_in_words([first])} needs {', and '.join(_excesses(only_first))}; "
        f"the first {campaigns} of the campaigns fit, so give the others a stack of their own, or "
        "shorten the tags and the inputLists"
    )
    return [Problem("solutions[0].campaigns", message)]


def text_bytes(args: RetrainingPipelineArgs) -> int:
    """Return how many bytes a text from outside may have, so that the largest document still fits.

    An input that is not known yet counts as an ARN of the greatest length.
    """
    return max(
        SHORTEST_TEXT_BYTES,
        _largest(LONGEST_TEXT_BYTES, lambda n: document_bytes(args, n) <= MAX_DOCUMENT_BYTES),
    )


def document_bytes(args: RetrainingPipelineArgs, max_text_bytes: int) -> int:
    """Return the bytes of the largest state that an execution can have.

    It is the state before the report: the settings, the plan and all results. The output of the
    execution leaves the results out if they do not fit beside the report (`functions/report.py`).
    The state after the trials of earlier runs is smaller, and the plan replaces their results.
    """
    settings = workflow_settings(
        args,
        job_prefix="0" * 8,
        import_role_arn="r" * MAX_ARN_CHARACTERS,
        topic_arn="t" * MAX_ARN_CHARACTERS,
        dashboard_url="d" * MAX_ARN_CHARACTERS,
        text_bytes=0,
    )
    return (
        _json_bytes(settings)
        + RUN_BYTES
        + WARNINGS_BYTES
        + sum(
            _part_bytes(DATASET, dataset.data_location, 0, max_text_bytes)
            for dataset in args.datasets.configured().values()
        )
        + sum(_solution_bytes(solution, max_text_bytes) for solution in args.solutions)
    )


def policy_characters(args: RetrainingPipelineArgs) -> Mapping[str, int]:
    """Return the characters of all policies of each function's role, by step.

    All inputs must be known.
    """
    home = parse_arn(str(args.solutions[0].solution_arn))
    assert home is not None, "problems() has checked that it is an ARN"
    name = "n" * (MAX_NAME_CHARACTERS + RANDOM_SUFFIX_CHARACTERS)
    role = str(home._replace(service="iam", region="", resource=f"role/{name}-import"))
    group = str(home._replace(service="scheduler", resource=f"schedule-group/{name}"))
    log_group = str(home._replace(service="logs", resource=f"log-group:{name}-functions"))
    machine = str(home._replace(service="states", resource=f"stateMachine:{name}"))
    topic = str(home._replace(service="sns", resource=name))
    arns = iam.resource_arns(
        args,
        home.home,
        job_prefixes=["0" * 8, "0" * 8],
        import_role_arn=str(args.import_role_arn or role),
        group_arn=group,
        topic_arn=str(args.notifications.topic_arn or topic),
    )
    characters = {}
    for step in needed_steps(args):
        row = STEPS[step]
        policies = [iam.function_policy(first_grants(row), arns, log_group)]
        if later_grants(row):
            policies.append(iam.executions_policy(later_grants(row), machine))
        characters[step] = sum(map(_policy_characters, policies))
    return characters


def history_events(args: RetrainingPipelineArgs) -> int:
    """Return the events of an execution with jobs that take until their deadlines.

    This is the worst case. The execution first waits for an older execution. An earlier run has
    left every campaign on trial, and every trial ends with a rollback. Later every new version is
    rolled back too. Each job takes as long as expected, except for one job of each solution or
    campaign, which takes until its deadline:

    - If this is the training, the campaigns are not updated.
    - If this is an update or a rollback, the other updates and rollbacks of the campaign (at most
      three) are not late. If it hangs in the trial, no later step waits for it (`begin_trial`).
    """
    limits = args.limits
    expected_job = POLLS_OF_EXPECTED_JOB * EVENTS_PER_POLL
    late_training = polls(limits.max_training_hours) * EVENTS_PER_POLL
    late_update = late_update_events(limits.max_campaign_hours)
    expected_update = expected_update_events()
    events = EVENTS_OF_RUN + overlap_events(args)
    events += len(args.datasets.configured()) * (EVENTS_OF_DATASET + expected_job)
    for solution in args.solutions:
        campaigns = len(solution.campaigns)
        probes = sum(map(_probe_events, solution.campaigns))
        trials = campaigns * (EVENTS_OF_TRIAL + 2 * expected_update) + probes
        updates = campaigns * (EVENTS_OF_CAMPAIGN + expected_update + late_update) + probes
        later = max(late_training, expected_job + updates)
        events += math.ceil(EVENTS_OF_SOLUTION + trials + later)
    return events


def polls(hours: float) -> float:
    """Return the most polls of a job that ends after this time and is expected within a day.

    `functions/personalize/pacing.py` polls about five times an hour around the expected end, and
    more and more rarely after it. tests/workflow/test_sizes.py compares this estimate with it.
    """
    window_hours = min(hours, 37)
    return 22 + 5.2 * window_hours + math.log(hours / window_hours, 1 + LATE_SHARE)


def _is_known(value: object) -> bool:
    """Return False if an input in this value is an Output."""
    if is_dataclass(value) and not isinstance(value, type):
        return all(_is_known(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, list | tuple):
        return all(map(_is_known, value))
    return not isinstance(value, pulumi.Output)


def _excesses(args: RetrainingPipelineArgs) -> list[str]:
    """Return each size that is larger than AWS allows, as the parts of a sentence."""
    excesses = []
    size = document_bytes(args, SHORTEST_TEXT_BYTES)
    if size > MAX_DOCUMENT_BYTES:
        excesses.append(
            f"{size:,} bytes in the state of an execution (at most {MAX_DOCUMENT_BYTES:,})"
        )
    step, characters = max(policy_characters(args).items(), key=lambda item: item[1])
    if characters > MAX_POLICY_CHARACTERS:
        excesses.append(
            f"{characters:,} characters in the policies of the role of {step} (at most "
            f"{MAX_POLICY_CHARACTERS:,})"
        )
    events = history_events(args)
    if events > MAX_EVENTS:
        excesses.append(
            f"{events:,} events in the history of an execution if the jobs take until their "
            f"deadlines (at most {MAX_EVENTS:,}; shorter limits cause fewer)"
        )
    return excesses


def _fits(args: RetrainingPipelineArgs, solutions: Sequence[SolutionArgs]) -> bool:
    return not _excesses(replace(args, solutions=solutions))


def _largest(highest: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number from 1 to `highest` that fits, or 0 if not even 1 does.

    A number fits if a larger number does.
    """
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _in_words(solutions: Sequence[SolutionArgs]) -> str:
    """Return the numbers in words, for example `24 solutions with 5 campaigns each`."""
    counts = {len(solution.campaigns) for solution in solutions}
    is_same = len(counts) == 1
    count = counts.pop() if is_same else sum(len(solution.campaigns) for solution in solutions)
    campaigns = "1 campaign" if count == 1 else f"{count} campaigns"
    if len(solutions) == 1:
        return f"1 solution with {campaigns}"
    return f"{len(solutions)} solutions with {campaigns}{' each' if is_same else ''}"


def _solution_bytes(solution: SolutionArgs, max_text_bytes: int) -> int:
    version = _length(solution.solution_arn) + VERSION_ID_BYTES
    rules = len(solution.quality_gate) * _part_bytes(RULE, "", 0, max_text_bytes)
    return _part_bytes(SOLUTION, solution.solution_arn, version, max_text_bytes) + sum(
        rules + _part_bytes(CAMPAIGN, campaign.campaign_arn, version, max_text_bytes)
        for campaign in solution.campaigns
    )


def _part_bytes(part: _Part, arn: pulumi.Input[str], version: int, max_text_bytes: int) -> int:
    return (
        part.fixed
        + part.arns * _length(arn)
        + part.versions * version
        + part.texts * max_text_bytes
    )


def _length(text: pulumi.Input[str]) -> int:
    """Return the bytes of a text in JSON. A text that is not known yet counts as a long ARN."""
    return len(json.dumps(text)) if isinstance(text, str) else MAX_ARN_CHARACTERS


def _json_bytes(settings: Mapping[str, object]) -> int:
    """Return the bytes of the settings in JSON, with a long ARN for each unknown input."""
    return len(json.dumps(settings, default=lambda _: "a" * MAX_ARN_CHARACTERS))


def _policy_characters(policy: iam.PolicyDocument) -> int:
    """Return the characters of a policy. IAM does not count white space."""
    return len(json.dumps(policy, separators=(",", ":")))


def overlap_events(args: RetrainingPipelineArgs) -> int:
    """Return the most events of the wait for an older run.

    The pauses grow to 30 minutes, which takes 50 polls and 300 minutes (`functions/overlap.py`).
    """
    minutes = args.overlap_hours * 60
    return math.ceil(50 + max(0, minutes - 300) / 30) * EVENTS_PER_POLL


def expected_update_events() -> int:
    """Return the most events of the polls of an update that takes as long as expected.

    The first poll comes after a Wait.
    """
    invocations = math.ceil(EXPECTED_UPDATE_SECONDS / INVOCATION_SECONDS)
    return invocations * EVENTS_PER_INVOCATION + EVENTS_PER_POLL


def late_update_events(hours: float) -> float:
    """Return the most events of the polls of an update that ends after this time.

    It is not known how long the update was expected to take. If it was expected to be short, more
    polls have a Wait. If it was expected to be long, more polls have none. The sum is largest if
    the time with Waits is as near to `even_seconds` as possible.
    """
    seconds = hours * SECONDS_PER_HOUR
    waits_per_delay = EVENTS_PER_POLL / math.log(1 + LATE_SHARE)
    even_seconds = waits_per_delay * INVOCATION_SECONDS / EVENTS_PER_INVOCATION
    shortest_delay = seconds - EXPECTED_UPDATE_SECONDS * EXPECTED_SPREAD
    delay = min(seconds, max(shortest_delay, even_seconds))
    invocations = 1.5 + (seconds - delay + WAITED_DELAY_SECONDS) / INVOCATION_SECONDS
    waits = max(0, math.log(delay / WAITED_DELAY_SECONDS, 1 + LATE_SHARE))
    return invocations * EVENTS_PER_INVOCATION + waits * EVENTS_PER_POLL


def _probe_events(campaign: CampaignArgs) -> int:
    """Return the events of the probes after an update and after its rollback."""
    minutes = campaign.probe.minutes if campaign.probe else 0
    return 2 * math.ceil(minutes * 60 / INVOCATION_SECONDS) * EVENTS_PER_INVOCATION
