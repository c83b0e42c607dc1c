"""Formats a run's report as text, which people read on a phone or in the AWS console.

Whatever needs a person comes first. Lines are short, ARNs are shortened (except in commands), and
no line appears twice. All functions are pure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, cast

from ..common.formatting import (
    describe_export_content,
    format_count,
    format_duration,
    format_list,
    format_metric_lines,
    format_metric_name,
    format_number,
    format_size,
    format_time,
    resource_name,
)
from ..common.messages import add_pipeline_options, format_message, shorten_arns
from ..common.truncation import count_json_bytes, truncate
from ..constants import GUIDE_PAGES, NDCG, STOPPED_ERROR
from ..contract import MetricComparison, Outcome
from ..run.executions import derive_state_machine_arn
from .model import (
    BatchJobReport,
    CampaignReport,
    ImportReport,
    RecommenderReport,
    Report,
    ServingReport,
    SolutionReport,
    list_bad_campaign_arns,
    list_batch_job_reports,
    list_campaign_reports,
)

MAX_REPORT_BYTES = 24_000
"""The size limit of a text. It becomes the cause of a failed execution, which may have 32,768
characters."""
MAX_CHAT_BYTES = 7_500
"""The size limit of a text for a chat application, which accepts 8,000 characters (`send.py`)."""
MAX_SUBJECT_CHARACTERS = 99
"""SNS requires a subject of fewer than 100 characters, in ASCII and without line breaks:
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
MAX_ADVISED_ARNS = 5
"""How many versions or campaigns get commands. More commands would not fit into a chat message."""
MIN_RELIABLE_USERS = 100
"""With fewer held-out users than this, metrics can vary by a quarter by chance."""
LARGEST_DROP_BY_CHANCE = -0.5
"""The largest relative drop of a metric that chance can explain if there are few users."""
RECOMMENDER_METRIC = f"{NDCG}_at_10"
"""The metric of a recommender that people see. The event has all of them."""
SECONDS_PER_DAY = 24 * 60 * 60
MAX_SEPARATORS_BYTES = 100
"""An upper bound for the line breaks between the sections."""
HEADLINES: Mapping[Outcome, str] = {
    "DEPLOYED": "the new version for {} is in use",
    "AWAITING_APPROVAL": "the new version for {} needs your approval",
    "REJECTED": "the new version for {} was rejected",
    "ROLLED_BACK": "the new version for {} was rolled back",
}
"""Outcome of a run -> what became of the new version. Campaign names replace `{}`. For the other
outcomes, the headline lists what the run has done."""
ERROR_HEADLINES = {
    "RunRefused": "the run was refused",
    STOPPED_ERROR: "a person stopped the run",
    "ABORTED": "the execution was stopped",
    "TIMED_OUT": "the execution took too long",
}
"""Error that ended a run -> what happened."""
UNSAFE_CHARACTERS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
    r"\ud800-\udfff\ufffe\uffff]"
)
"""Characters that SNS rejects (https://aws.amazon.com/sns/faqs/), and those that change the text
direction, because a name with one could make a line read differently."""


class Advice(NamedTuple):
    """What a person should do after an error or an outcome."""

    sentence: str
    commands: Sequence[str]
    """The name of a version or a campaign replaces `{}`."""
    guide: str
    """The page of `GUIDE_PAGES` to read, with its section."""
    arn_key: Literal["versionArn", "campaignArn"] = "versionArn"
    """The key in a campaign's report whose value replaces `{}`."""


ROLLBACK_ADVICE = Advice(
    "Move the campaign to a version that answers well:",
    ["retrain rollback --campaign {}"],
    "emergencies.md#roll-back-a-campaign",
    "campaignArn",
)
UNREPORTED_RUN_ADVICE = Advice(
    "The imports, trainings and updates of the run go on. The next run uses those that succeed, "
    "and finishes the trials. If you cannot wait for it, start a run:",
    ["retrain start"],
    "emergencies.md#a-run-was-stopped-or-timed-out",
)
RUN_ADVICE: Mapping[str, Advice] = {
    "RunRefused": Advice(
        "Nothing was imported or trained. Correct what the reason names, at once if a campaign is "
        "missing: `doctor` prints the command that creates it. Then start a run, or write the "
        "ready markers again if they have started this run:",
        ["retrain doctor", "retrain start"],
        "emergencies.md#a-run-failed",
    ),
    STOPPED_ERROR: Advice(
        "Imports and updates that had begun go on, and the next run uses what succeeds. Trainings "
        "of the run were stopped too, and only the second of these commands repeats them:",
        ["retrain start", "retrain start --skip-import --force"],
        "emergencies.md#start-again",
    ),
    "ABORTED": UNREPORTED_RUN_ADVICE,
    "TIMED_OUT": UNREPORTED_RUN_ADVICE,
    "FAILED": Advice(
        "Solve the problem. `doctor` finds what is missing or was changed in the account. Then "
        "start a run, which uses everything that has succeeded:",
        ["retrain doctor", "retrain start"],
        "emergencies.md#a-run-failed",
    ),
}
"""Error that ended the run -> what to do. `FAILED` covers all other failures."""
CAMPAIGN_ADVICE: Mapping[Outcome, Advice] = {
    "FAILED": ROLLBACK_ADVICE._replace(
        sentence="No probe has passed. If the campaign answers badly, roll it back:"
    ),
    "ROLLED_BACK": Advice(
        "The campaign serves its good version again. Find out what was wrong with the new version, "
        "and train again soon. This prints how it was made:",
        ["retrain history --version {}"],
        "operations.md#after-a-run",
    ),
    "REJECTED": Advice(
        "The campaign keeps its version. Correct the data or the rules, and train again soon. "
        "This prints how the rejected version was made:",
        ["retrain history --version {}"],
        "operations.md#the-quality-gate",
    ),
    "AWAITING_APPROVAL": Advice(
        "Judge the version, and answer with one of two commands:",
        ["retrain approve {}", "retrain approve --refuse {}"],
        "operations.md#approve-a-version",
    ),
    "DEPLOYED": ROLLBACK_ADVICE._replace(sentence="If the campaign answers badly, roll it back:"),
}
"""Outcome of a campaign -> what to do."""


def format_report(
    report: Report,
    max_bytes: int = MAX_REPORT_BYTES,
    pipeline_options: Sequence[str] | None = None,
) -> str:
    """Format the report as text. If it's too long, cut the reasons and the end.

    Commands identify the pipeline by its state machine, unless `pipeline_options` are given.
    """
    options = pipeline_options or [
        "--state-machine-arn",
        derive_state_machine_arn(report["executionArn"]),
    ]
    urgent_advice = _format_advice(ROLLBACK_ADVICE, list_bad_campaign_arns(report), options)
    opening = "\n".join([f"{report['outcome']}: {format_headline(report)}.", *urgent_advice])
    reasons = _format_section("Why", _explain_outcomes(report, options))
    advice = _format_section("What to do", _list_next_steps(report, options))
    warnings = [f"- {format_message(warning, options)}" for warning in report["warnings"]]

    # The commands in the advice must not be cut, so the reasons get only the remaining space.
    max_reasons_bytes = max_bytes - count_json_bytes(f"{opening}{advice}") - MAX_SEPARATORS_BYTES
    sections = [
        opening,
        truncate(reasons, max_reasons_bytes),
        advice,
        _format_section("What the campaigns serve now", _describe_campaigns(report)),
        _format_section("Recommenders", _describe_recommenders(report)),
        _format_section("Trainings", map(_describe_training, report["solutions"])),
        _format_section("Batch jobs", _describe_batch_jobs(report)),
        _format_section("Data and costs", _describe_data_and_costs(report)),
        _format_section("Warnings", warnings),
        _format_section("Run", _describe_run(report)),
    ]
    text = "\n\n".join(filter(None, sections))
    return truncate(UNSAFE_CHARACTERS.sub("?", text), max_bytes) + "\n"


def format_subject(report: Report) -> str:
    """Summarize the run in a subject line that SNS accepts."""
    subject = f"{report['outcome']} {report['pipeline']}: {format_headline(report)}"
    subject = re.sub("[^ -~]", "?", subject)
    if len(subject) <= MAX_SUBJECT_CHARACTERS:
        return subject
    return subject[: MAX_SUBJECT_CHARACTERS - 3].rstrip() + "..."


def format_headline(report: Report) -> str:
    """State the most important fact about a run, in a few words."""
    bad_campaign_arns = list_bad_campaign_arns(report)
    if bad_campaign_arns:
        names = ", ".join(map(resource_name, bad_campaign_arns))
        return f"{names} serves a version that failed its probe or bake"
    if report["error"] is not None:
        return ERROR_HEADLINES.get(report["error"], f"the run ended with {report['error']}")

    outcome = report["outcome"]
    if outcome == "FAILED":
        # "campaign home failed" would sound as if the campaign were down.
        results = _name_results(report, campaign_label="update of campaign")
        failed_name = next(name for name, result in results if result["outcome"] == "FAILED")
        return f"{failed_name} failed"

    template = HEADLINES.get(outcome)
    if template is None:
        return _summarize_work(report)

    campaign_names = [
        resource_name(campaign["campaignArn"])
        for campaign in list_campaign_reports(report)
        if campaign["outcome"] == outcome
    ]
    # A campaign is listed twice if it had a trial before its update.
    return template.format(", ".join(dict.fromkeys(campaign_names)))


def _summarize_work(report: Report) -> str:
    """Say what a run did that deployed nothing and left nothing for a person to do."""
    work = format_list([*_list_work_done(report)])
    if report["outcome"] != "SKIPPED":
        return work

    # A stack may have no campaigns, or import only.
    if not report["serving"]:
        return f"{work}, but nothing was trained" if work else "nothing was done"
    return f"{work}, but nothing was deployed" if work else "nothing was deployed"


def _list_work_done(report: Report) -> Iterator[str]:
    if any(dataset["outcome"] == "IMPORTED" for dataset in report["imports"]):
        yield "new data was imported"

    trained_names = [
        resource_name(solution["solutionArn"])
        for solution in report["solutions"]
        if solution["isTrained"]
    ]
    if trained_names:
        yield f"{format_list(trained_names)} got a new version"

    jobs = list_batch_job_reports(report["solutions"])
    if any(job["outcome"] == "WRITTEN" for job in jobs):
        yield "batch results were written"


def _format_section(title: str, lines: Iterable[str]) -> str:
    """Return a section with its title, or an empty string if it has no lines."""
    all_lines = [title, *lines]
    if len(all_lines) == 1:
        return ""
    return "\n".join(all_lines)


def _name_results(
    report: Report, campaign_label: str = "campaign"
) -> Iterator[tuple[str, ImportReport | SolutionReport | BatchJobReport | CampaignReport]]:
    """Yield each import, training, campaign, trial and batch job with a readable name.

    If a solution has campaigns, they tell its outcome. Its training is then left out, unless there
    are reasons for the outcome of the training itself.
    """
    for dataset in report["imports"]:
        yield f"import of {dataset['type']}", dataset

    solutions = report["solutions"]
    for solution in solutions:
        if solution["reasons"] or not solution["campaigns"]:
            yield f"training of {resource_name(solution['solutionArn'])}", solution
    for solution in solutions:
        for campaign in solution["campaigns"]:
            yield f"{campaign_label} {resource_name(campaign['campaignArn'])}", campaign

    for trial in report["trials"]:
        yield f"trial at {resource_name(trial['campaignArn'])}", trial
    for job in list_batch_job_reports(solutions):
        yield f"batch job to {job['output']}", job


def _explain_outcomes(report: Report, pipeline_options: Sequence[str]) -> Iterator[str]:
    """Yield why the run and its parts ended as they did, and why a rejection may be wrong.

    Parts with the same reason share a line.
    """
    for reason in report["reasons"]:
        yield f"- {format_message(reason, pipeline_options)}"

    names_by_reason: dict[str, list[str]] = {}
    for name, result in _name_results(report):
        for reason in result["reasons"]:
            text = format_message(reason, pipeline_options)
            names_by_reason.setdefault(text, []).append(name)
    for text, names in names_by_reason.items():
        yield f"- {', '.join(names)}: {text}"

    yield from _explain_doubtful_rejections(report)


def _explain_doubtful_rejections(report: Report) -> Iterator[str]:
    """Yield why the metrics of a rejected version may have dropped although its model is good.

    The new data may be harder for every model, or there are too few users to measure a drop.
    """
    metrics = [
        metric
        for campaign in list_campaign_reports(report)
        if campaign["outcome"] == "REJECTED"
        for metric in campaign["metrics"]
    ]
    dropped_metrics = [metric for metric in metrics if metric["hasDropped"]]
    if not dropped_metrics:
        return

    if any(metric["newBaseline"] is None for metric in dropped_metrics):
        yield (
            "- A lower value can come from a worse model, or from new data that is harder for "
            "every model. This rule cannot tell which. A rule with relativeTo can."
        )

    user_count = report["heldOutUsers"]
    if user_count is None or user_count >= MIN_RELIABLE_USERS:
        return

    largest_drop = min(metric["change"] or 0 for metric in metrics)
    if largest_drop >= LARGEST_DROP_BY_CHANCE:
        yield (
            f"- Personalize measured this on about {format_count(user_count, 'user')}, 10% of "
            "all, so chance decides. Until there are more, raise maxDrop in the qualityGate, or "
            "set qualityGateEnabled to false."
        )


def _list_next_steps(report: Report, pipeline_options: Sequence[str]) -> Iterator[str]:
    """Yield what a person should do about the run, and about its campaigns by outcome."""
    if report["outcome"] == "FAILED":
        advice = RUN_ADVICE.get(report["error"] or "FAILED", RUN_ADVICE["FAILED"])
        # Commands for a whole run have no `{}`.
        yield from _format_advice(advice, [""], pipeline_options)

    for outcome, advice in CAMPAIGN_ADVICE.items():
        advised_arns = _list_advised_arns(report, outcome, advice)
        yield from _format_advice(advice, advised_arns, pipeline_options)


def _list_advised_arns(report: Report, outcome: Outcome, advice: Advice) -> list[str]:
    """List the versions or campaigns with this outcome to which the advice applies."""
    campaigns = [
        campaign for campaign in list_campaign_reports(report) if campaign["outcome"] == outcome
    ]
    # Advice for a campaign is always to roll it back.
    if advice.arn_key == "campaignArn":
        campaigns = [campaign for campaign in campaigns if _can_roll_back(campaign, report)]

    # Campaigns can share a version, and one is listed twice if it had a trial first.
    arns = dict.fromkeys(campaign[advice.arn_key] for campaign in campaigns)
    return [arn for arn in arns if arn is not None]


def _can_roll_back(campaign: CampaignReport, report: Report) -> bool:
    """Check whether the campaign serves the run's version and served another one before.

    If the version is bad, the text already begins with the advice to roll back.
    """
    version_arn = campaign["versionArn"]
    if not version_arn or not campaign["previousVersionArn"]:
        return False

    return any(
        serving["campaignArn"] == campaign["campaignArn"]
        and serving["servedVersionArn"] == version_arn
        and not serving["isBad"]
        for serving in report["serving"]
    )


def _format_advice(
    advice: Advice, arns: Sequence[str], pipeline_options: Sequence[str]
) -> Iterator[str]:
    """Yield the advice and its commands for each version or campaign, if there are any."""
    if not arns:
        return

    yield advice.sentence
    for arn in arns[:MAX_ADVISED_ARNS]:
        for command in advice.commands:
            yield f"  {add_pipeline_options(command.format(shorten_arns(arn)), pipeline_options)}"

    if len(arns) > MAX_ADVISED_ARNS:
        yield f"and the same for {len(arns) - MAX_ADVISED_ARNS} more, named below"
    yield f"Guide: {GUIDE_PAGES}/{advice.guide}"


def _describe_campaigns(report: Report) -> Iterator[str]:
    """Yield what each campaign serves, what happened to it, and the metrics of the gate."""
    # If a campaign has both, its update replaces the trial, which is listed first.
    results = {campaign["campaignArn"]: campaign for campaign in list_campaign_reports(report)}
    printed_metrics: list[object] = []

    for serving in report["serving"]:
        line = _describe_serving(serving)
        result = results.get(serving["campaignArn"])
        if result is None:
            yield line
            continue
        yield f"{line} ({_describe_result(result, serving['servedVersionArn'])})"

        # If campaigns share a version and its metrics, only the first one prints them.
        version_metrics = (result["versionArn"], result["metrics"])
        if version_metrics in printed_metrics:
            continue
        printed_metrics.append(version_metrics)

        comparisons = cast("list[MetricComparison]", result["metrics"])
        for metric_line in format_metric_lines(comparisons, separator=": "):
            yield f"  {metric_line}"


def _describe_result(result: CampaignReport, served_version_arn: str | None) -> str:
    """Describe what happened to a campaign, and name the version that isn't served now, if any.

    After a deployment, that's the previous version. After any other outcome, it's the new one.
    """
    label = "new"
    other_version_arn = result["versionArn"]
    if result["outcome"] == "DEPLOYED":
        label = "before"
        other_version_arn = result["previousVersionArn"]

    if not other_version_arn or other_version_arn == served_version_arn:
        return result["outcome"]
    return f"{label}: {resource_name(other_version_arn)}, {result['outcome']}"


def _describe_serving(serving: ServingReport) -> str:
    campaign_name = resource_name(serving["campaignArn"])
    if not serving["isKnown"]:
        return f"- {campaign_name}: not known, because it could not be read"

    line = f"- {campaign_name}: {resource_name(serving['servedVersionArn'] or 'nothing')}"
    if serving["versionOnTrial"]:
        line += f"; {resource_name(serving['versionOnTrial'])} is still on trial"
    elif serving["isBad"]:
        line += ", which failed its probe or bake"

    if serving["pin"]:
        line += "; pinned"
    return line


def _describe_recommenders(report: Report) -> Iterator[str]:
    if report["recommenders"] is None:
        yield "- not known, because they could not be listed"
        return
    for recommender in report["recommenders"]:
        name = resource_name(recommender["recommenderArn"])
        yield f"- {name}: {describe_recommender(recommender)}"


def describe_recommender(recommender: RecommenderReport) -> str:
    """Describe the status of a recommender, the time since its last update, and its NDCG@10."""
    age = format_duration(recommender["ageDays"] * SECONDS_PER_DAY)
    facts = [recommender["status"], f"last updated {age} ago"]

    ndcg = recommender["metrics"].get(RECOMMENDER_METRIC)
    if ndcg is not None:
        facts.append(f"{format_metric_name(RECOMMENDER_METRIC)} {ndcg:.4f}")
    return ", ".join(facts)


def _describe_batch_jobs(report: Report) -> Iterator[str]:
    for job in list_batch_job_reports(report["solutions"]):
        facts = [str(job["outcome"])]
        if job["versionArn"] is not None:
            facts.append(f"version {resource_name(job['versionArn'])}")
        if job["seconds"] is not None:
            facts.append(f"written in {format_duration(job['seconds'])}")
        yield f"- {job['output']}: {', '.join(facts)}"


def _describe_training(solution: SolutionReport) -> str:
    """Describe a training, with the outcome of the solution if it has no campaigns."""
    facts = []
    # If there are campaigns, their lines show the outcome.
    if not solution["campaigns"]:
        facts.append(str(solution["outcome"]))

    if solution["solutionVersionArn"] is not None:
        facts.append(f"version {resource_name(solution['solutionVersionArn'])}")
        if solution["trainedBy"] == "personalize":
            facts.append("trained by Personalize")
        elif not solution["isTrained"]:
            facts.append("trained before")

    if solution["seconds"] is not None:
        facts.append(f"{solution['trainingMode']} in {format_duration(solution['seconds'])}")
    if solution["trainingHours"] is not None:
        facts.append(f"{format_number(solution['trainingHours'])} training hours")
    return f"- {resource_name(solution['solutionArn'])}: {', '.join(facts)}"


def _describe_data_and_costs(report: Report) -> Iterator[str]:
    """Yield what each import read, which deletion caused trainings, and the costs."""
    started_at = datetime.fromisoformat(report["startedAt"])
    for dataset in report["imports"]:
        yield f"- {dataset['type']}: {', '.join(_list_import_facts(dataset, started_at))}"

    deletion_arn = report["dataDeletionJobArn"]
    if deletion_arn:
        job_name = resource_name(deletion_arn)
        yield f"- users were deleted by {job_name}, so the solutions are trained again"

    costs = {"trainings": report["trainingCost"], "imports": report["importCost"]}
    cost_texts = [f"{name} ${cost:.2f}" for name, cost in costs.items() if cost]
    if cost_texts:
        yield f"- about {', '.join(cost_texts)}"


def _list_import_facts(dataset: ImportReport, started_at: datetime) -> list[str]:
    facts = [dataset["outcome"], format_size(dataset["bytes"])]

    if dataset["dataWrittenAt"] is not None:
        age = started_at - datetime.fromisoformat(dataset["dataWrittenAt"])
        facts.append(f"written {format_duration(age.total_seconds())} before the run")
    if dataset["seconds"] is not None:
        facts.append(f"imported in {format_duration(dataset['seconds'])}")
    return facts + describe_export_content(dataset["content"])


def _describe_run(report: Report) -> Iterator[str]:
    yield f"- {report['runId']} ({report['trigger']}) of {report['pipeline']}"
    ended_at = format_time(datetime.fromisoformat(report["endedAt"]))
    yield f"- ended at {ended_at} UTC, after {format_duration(report['seconds'])}"
    yield f"- Execution: {report['executionUrl']}"
    if report["dashboardUrl"]:
        yield f"- Dashboard: {report['dashboardUrl']}"
