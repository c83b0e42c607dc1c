"""Exactly once: whatever goes wrong around a run, nothing bad goes live, nothing is paid for twice.

Random faults, delays, duplicates and aborts, with moto's interpreter, the real functions and the
Personalize emulator, on virtual time. What holds in each example is in `promises.py`; the same
examples are drawn each time.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from components.args import CampaignArgs
from emulator.personalize import Switches
from emulator.virtual.step_functions import Execution, StartedExecution
from tests.workflow.causing import close, handlers, interfere, prepare
from tests.workflow.pipeline import RUN_ID, Pipeline, deploy
from tests.workflow.promises import adopted, campaigns, hold
from tests.workflow.troubles import Trouble, troubles
from tests.workflow.witness import Witness, own_report
from tests.world import MOVIES, PREFIX, DatasetGroup, campaign, solution

SECONDS = {
    **{f"{PREFIX}-{RUN_ID}-{kind}-1": 300 for kind in ("interactions", "items")},
    "solution-version": 300,
    "campaign-update": 120,
}
"""Short jobs: what is looked at less often is tried faster."""
LATER = (1, 59, 300)
"""Seconds between the times that an earlier execution is closed again beside a resumed one."""
PAUSES = (0, 600, 3600)
"""Seconds between the end of a run and its resumption."""
SHELVES = ("none", "none", "without a probe", "with a probe")
"""The second campaign; a world without one is tried faster."""


def pipeline_args(found: list[Trouble], shelf: str) -> DatasetGroup:
    """One campaign with a probe, and perhaps a second one; a probe may ask for the impossible."""
    bad = {trouble.where for trouble in found if trouble.kind in ("bad-answers", "no-way-back")}

    def probed(name: str) -> CampaignArgs:
        least = 500 if bad & {name, "both"} else 1
        return campaign(name, user_id="u1", min_results=least, minutes=5)

    shelves = {"none": [], "without a probe": ["shelf"], "with a probe": [probed("shelf")]}
    group = MOVIES.with_datasets("interactions", "items")
    return group.with_solutions(solution(campaigns=[probed("home"), *shelves[shelf]]))


def run_with(
    found: list[Trouble], switches: Switches, shelf: str, *, resume_after: float | None
) -> Counter[str]:
    """Run once with these troubles, hold the promises, and count what came.

    A run that fails is resumed after so many seconds, or not at all.
    """
    seen = Counter({f"drawn: {trouble.kind}": 1 for trouble in found})
    args, troubled = pipeline_args(found, shelf), handlers(found, seen)
    with deploy(args, durations=SECONDS, switches=switches, handlers=troubled) as pipeline:
        with Witness(pipeline, seen).watching() as witness:
            prepare(pipeline, witness, found)
            first = pipeline.start()
            running = [first, *interfere(pipeline, witness, found, first)]
            ended = [each.wait() for each in running]
            for ending in (trouble for trouble in found if trouble.kind == "no-report"):
                for each in running:
                    close(witness, each, ending)
            pipeline.personalize.faults.clear()
            resumed = None
            if resume_after is not None and ended[0].status != "SUCCEEDED":
                pipeline.sleep(resume_after)
                resumed = resume(pipeline, witness, found, first)
                ended.append(resumed)
                seen[f"resumed: {ended[0].status}"] += 1
            for each in ended:
                if each.status == "FAILED" and own_report(each):
                    witness.close(each)
        reports = hold(witness, ended, resumed)
    seen.update(f"ended: {report['status']}" for report in reports)
    seen.update(f"campaign: {campaign['outcome']}" for _, campaign in campaigns(reports))
    seen.update(f"closed: {each.status}" for each in ended if not own_report(each))
    seen["adopted"] += bool(adopted(ended))
    return seen


def resume(
    pipeline: Pipeline, witness: Witness, found: list[Trouble], first: StartedExecution
) -> Execution:
    """Go on with the run; where its end is told late, it is told again meanwhile."""
    running = pipeline.start(scheduledTime=None, scheduleArn=None, trigger=None, resume=RUN_ID)
    for ending in (trouble for trouble in found if trouble.where == "late"):
        for seconds in LATER:
            pipeline.sleep(seconds)
            close(witness, first, ending)
    return running.wait()


SWITCHES = st.builds(
    Switches,
    unique_version_names=st.booleans(),
    update_visible_after=st.sampled_from([0, 90]),
    update_keeps_settings=st.booleans(),
)


def check(
    capsys, *, examples: int, endings_in_ten: int, resume_after: st.SearchStrategy[float | None]
) -> None:
    """Run the examples, and print how often each trouble and each outcome came."""
    seen: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @seed(0)
    @given(
        troubles(endings_in_ten=endings_in_ten), SWITCHES, st.sampled_from(SHELVES), resume_after
    )
    def example(found, switches, shelf, later):
        seen["examples"] += 1
        seen.update(run_with(found, switches, shelf, resume_after=later))

    example()
    with capsys.disabled():
        print("", *(f"{count:5} {what}" for what, count in sorted(seen.items())), sep="\n")
    assert seen["examples"] >= examples, "no example may be thrown away"


@pytest.mark.timeout(480)  # some minutes on a busy machine
def test_nothing_is_done_twice_whatever_goes_wrong(capsys):
    check(capsys, examples=280, endings_in_ten=2, resume_after=st.none())


@pytest.mark.timeout(480)  # some minutes on a busy machine
def test_nothing_is_done_twice_when_a_run_is_resumed(capsys):
    check(capsys, examples=220, endings_in_ten=7, resume_after=st.sampled_from(PAUSES))
