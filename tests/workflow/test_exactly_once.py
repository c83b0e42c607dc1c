"""Exactly once: whatever goes wrong around a run, nothing bad goes live, nothing is paid for twice.

Random faults, delays, duplicates and aborts, with moto's interpreter, the real functions and the
Personalize emulator, on virtual time. What holds in each example is in `promises.py`; the same
examples are drawn each time.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from components.args import CampaignArgs, ProbeArgs, RetrainingPipelineArgs, SolutionArgs
from emulator.personalize import Switches
from tests import world
from tests.workflow.causing import close, handlers, interfere, prepare
from tests.workflow.interpreter import Execution, Running
from tests.workflow.pipeline import PREFIX, RUN, Pipeline, pipeline
from tests.workflow.promises import adopted, campaigns, hold
from tests.workflow.troubles import Trouble, troubles
from tests.workflow.witness import HOME, SHELF, SOLUTION, Witness, own_report

SECONDS = {
    **{f"{PREFIX}-{RUN}-{kind}-1": 300 for kind in ("interactions", "items")},
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


def pipeline_args(found: list[Trouble], shelf: str) -> RetrainingPipelineArgs:
    """One campaign with a probe, and perhaps a second one; a probe may ask for the impossible."""
    bad = {trouble.where for trouble in found if trouble.kind in ("bad-answers", "no-way-back")}

    def campaign(arn: str, name: str, *, probed: bool) -> CampaignArgs:
        least = 500 if bad & {name, "both"} else 1
        probe = ProbeArgs(user_id="u1", min_results=least, minutes=5)
        return CampaignArgs(campaign_arn=arn, probe=probe if probed else None)

    made = [campaign(HOME, "home", probed=True)]
    if shelf != "none":
        made.append(campaign(SHELF, "shelf", probed=shelf == "with a probe"))
    return world.settings(
        datasets=world.datasets("interactions", "items"),
        solutions=[SolutionArgs(solution_arn=SOLUTION, campaigns=made)],
    )


def run_with(
    found: list[Trouble], switches: Switches, shelf: str, *, resume_after: float | None
) -> Counter[str]:
    """Run once with these troubles, hold the promises, and count what came.

    A run that fails is resumed after so many seconds, or not at all.
    """
    seen = Counter({f"drawn: {trouble.kind}": 1 for trouble in found})
    args, troubled = pipeline_args(found, shelf), handlers(found, seen)
    with pipeline(args, seconds=SECONDS, switches=switches, handlers=troubled) as made:
        with Witness(made, seen).watching() as witness:
            prepare(made, witness, found)
            first = made.start()
            running = [first, *interfere(made, witness, found, first)]
            ended = [each.wait() for each in running]
            for ending in (trouble for trouble in found if trouble.kind == "no-report"):
                for each in running:
                    close(witness, each, ending)
            made.personalize.faults.clear()
            resumed = None
            if resume_after is not None and ended[0].status != "SUCCEEDED":
                made.let_pass(resume_after)
                resumed = resume(made, witness, found, first)
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


def resume(made: Pipeline, witness: Witness, found: list[Trouble], first: Running) -> Execution:
    """Go on with the run; where its end is told late, it is told again meanwhile."""
    running = made.start(scheduledTime=None, scheduleArn=None, trigger=None, resume=RUN)
    for ending in (trouble for trouble in found if trouble.where == "late"):
        for seconds in LATER:
            made.let_pass(seconds)
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
