"""What a definition and an execution tell, in the few words that the tests compare."""

import functools

from components.document import document
from components.rules.metrics import NDCG_AT_10
from components.state_machine import definition as machine
from components.state_machine.steps import STEPS
from tests.workflow.pipeline import PERSONALIZE, PREFIX
from tests.world import IMPORT_ROLE, settings


def report(execution):
    """Give the run's report, whether the run succeeded or failed."""
    reports = [call.outcome for call in execution.calls if call.function == "report_outcome"]
    assert len(reports) == 1, f"a run reports once: {execution}"
    return reports[0]


def outcomes(execution):
    """Give what became of everything: dataset type, solution or campaign name -> outcome."""
    made = report(execution)
    found = {each["type"]: each["outcome"] for each in made["imports"]}
    for solution in made["solutions"]:
        found[name(solution["solutionArn"])] = solution["outcome"]
        found |= {name(each["campaignArn"]): each["outcome"] for each in solution["campaigns"]}
    return found


def failures(execution):
    """Give why things failed: dataset type, solution or campaign name -> the report's words."""
    made = report(execution)
    found = {each["type"]: each["failure"] for each in made["imports"]}
    for solution in made["solutions"]:
        found[name(solution["solutionArn"])] = solution["failure"]
        found |= {name(each["campaignArn"]): each["failure"] for each in solution["campaigns"]}
    return {what: why for what, why in found.items() if why}


def failed_calls(execution):
    """Give function and error of each invocation that failed."""
    return [
        (call.function, call.outcome) for call in execution.calls if isinstance(call.outcome, str)
    ]


def ndcg(made, version):
    """Give a version's NDCG@10, from the service."""
    metrics = made.api.get_solution_metrics(solutionVersionArn=version)["metrics"]
    return metrics[NDCG_AT_10]


def name(arn):
    """Give the name at the end of an ARN."""
    return arn.rpartition("/")[2]


def campaign_arn(campaign="home"):
    """Give a campaign's ARN."""
    return f"{PERSONALIZE}:campaign/{campaign}"


def solution_arn(solution="taste"):
    """Give a solution's ARN."""
    return f"{PERSONALIZE}:solution/{solution}"


def dataset_arn(kind="ITEMS", group="movies"):
    """Give a dataset's ARN."""
    return f"{PERSONALIZE}:dataset/{group}/{kind}"


@functools.cache
def definition():
    """Give the definition of a pipeline with three datasets, a solution and a campaign."""
    args = settings()
    functions = {step: f"arn:aws:lambda:eu-west-1:123456789012:function:{step}:1" for step in STEPS}
    told = document(args, job_prefix=PREFIX, import_role_arn=IMPORT_ROLE)
    return machine.definition(functions, told, args)
