"""Prints what a shell needs to use a stack in the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrain.rehearsal.runs import campaign_arns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retrain.rehearsal.deployed_stack import DeployedStack

OUTPUTS = {
    "MACHINE": "state_machine_arn",
    "SCHEDULE": "schedule_arn",
    "GROUP": "log_group_name",
    "QUEUE": "dead_letter_queue_url",
}
"""The shell variables of the README and the operations guide, and the stack outputs in them."""
FUNCTIONS = """\
report() { aws stepfunctions describe-execution --execution-arn "$1" \\
  | jq -r '.status, (.cause // ((.output // "{}") | fromjson | .text // empty))'; }
campaigns() { for ARN in $CAMPAIGNS; do aws personalize describe-campaign --campaign-arn "$ARN" \
--output text --query \\
  'campaign.[campaignArn,solutionVersionArn,latestCampaignUpdate.status,\
latestCampaignUpdate.lastUpdatedDateTime]'; done; }
"""
"""The shell functions of the operations guide, as the guide defines them."""


def export_lines(variables: Mapping[str, str]) -> str:
    """Return a line `export NAME=value` for each environment variable."""
    return "\n".join(f"export {name}={value}" for name, value in variables.items())


def guide_variables(deployed: DeployedStack) -> dict[str, str]:
    """Return the shell variables that the commands of the operations guide use for a stack.

    The guide sets them with the Pulumi CLI. A value with spaces is in quotation marks.
    """
    args = deployed.stack.args
    datasets = [str(dataset.dataset_arn) for dataset in args.datasets.configured().values()]
    solutions = [str(solution.solution_arn) for solution in args.solutions]
    return {
        "STACK": deployed.stack.name,
        **{name: deployed.output(key) for name, key in OUTPUTS.items()},
        "DATASETS": f'"{" ".join(datasets)}"',
        "SOLUTIONS": f'"{" ".join(solutions)}"',
        "CAMPAIGNS": f'"{" ".join(campaign_arns(args))}"',
    }
