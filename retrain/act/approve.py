"""The command `approve`: the answer of a person about a version that waits for an approval."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from json import dumps
from typing import TYPE_CHECKING, Annotated

import typer

from functions import clock
from functions.executions import short_hash
from functions.personalize.campaigns import (
    Versions,
    approval_tags,
    current_answer,
    describe_campaign,
    live_version,
    metrics_of,
    read_approval,
    read_notes,
    seen_campaign,
    wanted_deployment,
)
from functions.personalize.statuses import is_active
from functions.personalize.tags import APPROVAL, RUN, tags_of, write_tags
from functions.personalize.trainings import list_versions
from functions.rules.deployments import Memory, decide, needs_run
from functions.words import metric_name, metric_text, time_text
from retrain.account.errors import FailedError, OperatorError
from retrain.account.output import confirm, print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.names import short_name, with_short_names
from retrain.options import JsonOption, YesOption, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import MetricValues, SolutionSettings, Tags
    from functions.rules.steps import Step

NOT_ALLOWED_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")
"""The characters that the value of a tag in Personalize may not have. The name of a session may
contain a comma."""


@dataclass(frozen=True)
class Candidate:
    """The newest version of a solution whose versions need an approval."""

    arn: str
    tags: Tags
    answer: str | None
    """The answer that counts now (`current_answer`)."""
    live: Mapping[str, str | None]
    """Campaign ARN -> the version that it serves."""
    steps: Mapping[str, Step]
    """Campaign ARN -> what a run would do there first if the version was approved."""

    def error(self, *, reject: bool) -> str | None:
        """Return why the version does not take this answer, or None if it does."""
        if self.answer is None:
            return "no run has asked about it, or the time to answer is over"
        approval = read_approval(self.tags)
        if approval and (self.answer == "REFUSED" or (reject and self.answer == "APPROVED")):
            return f"it was {self.answer.lower()} by {approval.by} at {time_text(approval.at)} UTC"
        if reject or any(map(needs_run, self.steps.values())):
            return None
        return "; ".join(self.reasons()) or "its solution has no campaign"

    def reasons(self) -> Iterator[str]:
        """Yield why the version is not deployed to a campaign, for each such campaign."""
        for arn, step in self.steps.items():
            if not needs_run(step):
                reasons = "; ".join(step.reasons) or f"{step.outcome}"
                yield f"{short_name(arn)}: {with_short_names(reasons)}"


@command
def approve(
    target: Target,
    *,
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERSION]",
            help="The version: movies/1a2b3c4d, 1a2b3c4d or its ARN. Not needed if only one "
            "version waits for an answer.",
        ),
    ] = None,
    reject: Annotated[
        bool, typer.Option("--reject", help="Refuse the version instead. No run deploys it.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> int:
    """Approve a version that waits for an approval, and start its deployment. Or refuse it.

    For example: retrain approve movies/1a2b3c4d --stack prod

    An execution checks the quality gate again, and probes the campaigns like any run. If it could
    not be started, approve the version again.

    Exit code 0: the execution was started, or with --reject the version is refused.
    Exit code 1: the version does not wait for an answer, or you answered no.
    Exit code 2: the pipeline or the version was not found.
    """
    chosen = _chosen(target, version, reject=reject)
    client, name = target.access.personalize, short_name(chosen.arn)
    for line in () if yes else _comparison(client, chosen):
        print_message(line)
    if not reject:
        for reason in chosen.reasons():
            print_message(f"warning: no run deploys it to {reason}")
    if not confirm(f"{'Never deploy' if reject else 'Deploy'} {name}?", yes=yes):
        raise FailedError("nothing was changed")
    answer, tags = "REFUSED" if reject else "APPROVED", chosen.tags
    if chosen.answer != answer:
        by = NOT_ALLOWED_IN_TAGS.sub("-", target.access.caller())
        tags = approval_tags("REFUSED" if reject else "APPROVED", clock.now(), by)
        write_tags(client, chosen.arn, tags)
    started = None if reject else _start_deployment(target, chosen.arn, tags)
    if as_json:
        print_json({"versionArn": chosen.arn, "answer": answer, "executionArn": started})
    elif started:
        print_result(f"{name} is approved, and a run deploys it")
        run = started.rpartition(":")[2]
        print_command("To follow the run", target.command("watch", "--run", run))
    else:
        print_result(f"{name} is refused; the campaigns keep the versions that they serve")
        print_command("To train again on the same data", target.command("start", "--force"))
    return 0


def _chosen(target: Target, name: str | None, *, reject: bool) -> Candidate:
    """Return the version with this name, or the only version that takes the answer.

    Raises FailedError if it takes no answer, and OperatorError if it is not clear which is meant.
    """
    found = [
        _candidate(target.access.personalize, target, row)
        for row in target.settings["solutions"]
        if row["approval"]
    ]
    candidates = [candidate for candidate in found if candidate]
    if name is not None:
        names = [short_name(candidate.arn) for candidate in candidates]
        candidates = [
            candidate
            for candidate in candidates
            if name in (candidate.arn, short_name(candidate.arn), candidate.arn.rpartition("/")[2])
        ]
        if not candidates:
            raise OperatorError(
                f"{name!r} is not the newest version of a solution with an approval; these are "
                f"{', '.join(names) or 'none'}"
            )
    errors = {candidate.arn: candidate.error(reject=reject) for candidate in candidates}
    waiting = [candidate for candidate in candidates if errors[candidate.arn] is None]
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        names = [short_name(candidate.arn) for candidate in waiting]
        raise OperatorError(
            f"{len(waiting)} versions wait for an answer; name one of {', '.join(names)}"
        )
    reasons = [f"{short_name(arn)}: {error}" for arn, error in errors.items()]
    raise FailedError("; ".join(["no version waits for an answer", *reasons]))


def _candidate(
    client: PersonalizeClient, target: Target, solution: SolutionSettings
) -> Candidate | None:
    """Return the newest ACTIVE version of a solution that a run has trained, or None."""
    for summary in list_versions(client, solution["solutionArn"]):
        arn = summary["solutionVersionArn"]
        if not is_active(summary["status"]) or RUN not in (tags := tags_of(client, arn)):
            continue
        now, live, steps = clock.now(), {}, {}
        for configured in solution["campaigns"]:
            campaign_arn = configured["campaignArn"]
            campaign = describe_campaign(client, campaign_arn)
            notes = read_notes(tags_of(client, campaign_arn), solution["solutionArn"])
            seen = seen_campaign(campaign, notes, Versions(client, solution))
            wanted = wanted_deployment(target.settings, solution, campaign_arn, arn, waited=True)
            approved = replace(wanted, approval_hours=None)
            steps[campaign_arn] = decide(seen, approved, Memory(now), now)
            live[campaign_arn] = live_version(campaign)
        return Candidate(arn, tags, current_answer(tags, solution["approval"], now), live, steps)
    return None


def _comparison(client: PersonalizeClient, chosen: Candidate) -> Iterator[str]:
    """Yield the offline metrics of a version beside those of each version in use."""
    new = metrics_of(client, chosen.arn)
    for served in dict.fromkeys(chosen.live.values()):
        campaigns = [short_name(arn) for arn, version in chosen.live.items() if version == served]
        live = metrics_of(client, served) if served else {}
        versions = f"{short_name(served or 'nothing')} → {short_name(chosen.arn)}"
        yield f"{', '.join(campaigns)}: {versions}"
        for name, value in sorted(new.items()):
            values: MetricValues = {"new": value, "live": live.get(name)}
            yield f"  {metric_name(name)} {metric_text(values)}"


def _start_deployment(target: Target, version_arn: str, tags: Tags) -> str:
    """Start the execution that deploys an approved version, and return its ARN.

    Its name comes from the version and the answer, so a second call starts no second execution.
    Raises FailedError then.
    """
    client = target.access.step_functions
    name = f"approval-{short_hash(f'{version_arn} {tags[APPROVAL]}', 16)}"
    try:
        execution = client.start_execution(
            stateMachineArn=target.state_machine_arn,
            name=name,
            input=dumps({"only": "deployments"}),
        )
    except client.exceptions.ExecutionAlreadyExists as error:
        raise FailedError(
            f"{short_name(version_arn)} was approved before, and the run {name} was started; "
            f"`{target.command('watch', '--run', name)}` shows it"
        ) from error
    return execution["executionArn"]
