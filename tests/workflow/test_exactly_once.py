"""Exactly once: no bad version goes live and no training is paid for twice, whatever goes wrong.

Hypothesis draws faults, delays, duplicates and aborts. The real state machine and functions run
against the Personalize emulator on virtual time. `invariants.py` checks each example.

Each test draws some examples that contain its kind of disturbance. The examples are the same in
every test run. The environment variable EXAMPLES is their number for each kind, by default 4.
`make faults` draws 20, which takes some minutes.
"""

import os
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from components.args import CampaignArgs
from emulator.personalize import Switches
from tests.workflow.answers import bad_answers
from tests.workflow.disturbances import CAMPAIGNS, DISTURBANCES, ENDINGS, Disturbance, disturbances
from tests.workflow.disturbing import close, disturbed_handlers, interfere, prepare
from tests.workflow.invariants import check_invariants
from tests.workflow.pipeline import RUN_ID, deploy
from tests.workflow.recorder import Recorder, report_of
from tests.world import MOVIES, PREFIX, DatasetGroup, campaign, solution

EXAMPLES = int(os.environ.get("EXAMPLES", "4"))
"""The number of examples for each kind of disturbance."""
DURATIONS = {
    **{f"{PREFIX}-{RUN_ID}-{dataset_type}-1": 300 for dataset_type in ("interactions", "items")},
    "solution-version": 300,
    "campaign-update": 120,
}
"""The jobs are short, because a long job only adds polls."""
SHELVES = ("none", "none", "without a probe", "with a probe")
"""The second campaign. It takes time, so half of the examples have none."""
SWITCHES = st.builds(
    Switches,
    unique_version_names=st.booleans(),
    update_visible_after=st.sampled_from([0, 90]),
    update_keeps_settings=st.booleans(),
)


def bad_campaigns(drawn: Sequence[Disturbance]) -> set[str]:
    """Return the names of the campaigns that answer badly when they serve a new version."""
    places = {item.where for item in drawn if item.kind in ("bad-answers", "no-way-back")}
    return set(CAMPAIGNS) if "both" in places else places


def dataset_group(shelf: str) -> DatasetGroup:
    """Return a group with the campaign home and perhaps the campaign shelf.

    Each campaign with a probe asks for one result.
    """

    def probed(name: str) -> CampaignArgs:
        return campaign(name, user_id="u1", min_results=1, minutes=5)

    shelves = {"none": [], "without a probe": ["shelf"], "with a probe": [probed("shelf")]}
    group = MOVIES.with_datasets("interactions", "items")
    return group.with_solutions(solution(campaigns=[probed("home"), *shelves[shelf]]))


def run_disturbed(drawn: Sequence[Disturbance], switches: Switches, shelf: str) -> None:
    """Run once with these disturbances, and check the invariants."""
    with deploy(
        dataset_group(shelf),
        durations=DURATIONS,
        switches=switches,
        handlers=disturbed_handlers(drawn),
    ) as pipeline:
        with (
            bad_answers(pipeline, campaigns=bad_campaigns(drawn)),
            Recorder(pipeline).recording() as recorder,
        ):
            prepare(pipeline, recorder, drawn)
            first = pipeline.start()
            started = [first, *interfere(pipeline, recorder, drawn, first)]
            executions = [execution.wait() for execution in started]
            for ending in (item for item in drawn if item.kind == "no-report"):
                for execution in started:
                    close(recorder, execution, ending)
            for execution in executions:
                if execution.status == "FAILED" and report_of(execution):
                    recorder.close(execution)
        check_invariants(recorder, executions)


@pytest.mark.parametrize("kind", [*DISTURBANCES, *ENDINGS])
def test_nothing_is_done_twice_whatever_goes_wrong(kind):

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @seed(0)
    @given(disturbances(kind, endings_in_ten=2), SWITCHES, st.sampled_from(SHELVES))
    def example(drawn: Sequence[Disturbance], switches: Switches, shelf: str) -> None:
        run_disturbed(drawn, switches, shelf)

    example()
