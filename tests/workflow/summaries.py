"""Summarise an execution in the few values that the tests compare."""

import json

from components.rules.single_settings import NDCG_AT_10
from tests.printed import all_printed
from tests.world import MOVIES, PIPELINE

DEPLOYED = {"taste": "DEPLOYED", "home": "DEPLOYED"}
"""The outcomes of a good run without imports."""
ALL_DONE = {"interactions": "IMPORTED", "items": "IMPORTED", "users": "IMPORTED", **DEPLOYED}
"""The outcomes of a good run of the default dataset group."""


def report(execution):
    """Return the report of the run, which must be the only one."""
    reports = [call.outcome for call in execution.calls if call.function == "report_outcome"]
    assert len(reports) == 1, f"a run reports once: {execution}"
    return reports[0]["report"]


def document(execution):
    """Return the document of the run at its end, from which the report was made."""
    (reported,) = [call for call in execution.calls if call.function == "report_outcome"]
    return reported.payload


def text(execution):
    """Return the text of the report, which is the cause of a failed execution."""
    (reported,) = [call.outcome for call in execution.calls if call.function == "report_outcome"]
    assert execution.cause in (None, reported["text"])
    return reported["text"]


def outcomes(execution):
    """Return the outcome of each dataset type, solution name and campaign name."""
    return _parts(report(execution), "outcome")


def failures(execution):
    """Return the reason of each dataset type, solution name and campaign name that has one."""
    parts = _parts(report(execution), "reasons")
    return {part: "; ".join(all_printed(reasons)) for part, reasons in parts.items() if reasons}


def problems_of(execution):
    """Return the problems for which a run was refused. Such a run did nothing."""
    assert execution.status == "FAILED", execution
    assert report(execution)["imports"] == report(execution)["solutions"] == []
    assert report(execution)["error"] == "RunRefused"

    return all_printed(report(execution)["reasons"])


def skip_reason(execution):
    """Return the reasons for which a run was skipped. Such a run did nothing."""
    assert execution.status == "SUCCEEDED", "a skipped run alarms nobody"
    assert report(execution)["outcome"] == "SKIPPED"
    assert report(execution)["imports"] == report(execution)["solutions"] == []

    return "; ".join(all_printed(report(execution)["reasons"]))


def warnings_of(execution):
    """Return the warnings of a run."""
    return all_printed(report(execution)["warnings"])


def _parts(report_, key):
    """Return one key of each part of a report."""
    values = {dataset["type"]: dataset[key] for dataset in report_["imports"]}
    for solution in report_["solutions"]:
        values[name(solution["solutionArn"])] = solution[key]
        for campaign in solution["campaigns"]:
            values[name(campaign["campaignArn"])] = campaign[key]

    return values


def failed_calls(execution):
    """Return the function and the error of each failed invocation, in order."""
    return [
        (call.function, call.outcome) for call in execution.calls if isinstance(call.outcome, str)
    ]


def ndcg(pipeline, version_arn):
    """Return the NDCG@10 of a version, which the service computes."""
    response = pipeline.client.get_solution_metrics(solutionVersionArn=version_arn)
    return response["metrics"][NDCG_AT_10]


def name(arn):
    """Return the name at the end of an ARN."""
    return arn.rpartition("/")[2]


def report_of(execution):
    """Return the report that an execution wrote before it ended, or None."""
    for event in reversed(execution.events):
        exited = event.get("stateExitedEventDetails", {})
        if exited.get("name") == "Report outcome":
            return json.loads(exited["output"]).get("report")

    return None


def event_of(execution):
    """Return what `close_run` gets after the end of an execution. Times are milliseconds."""
    started = round(execution.events[0]["timestamp"].timestamp() * 1000)
    return {
        "executionArn": execution.arn,
        "startDate": started,
        "pipeline": PIPELINE,
        "notifications": MOVIES.settings()["notifications"],
    }
