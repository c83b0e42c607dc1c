"""Builds addresses of pages in the console of AWS. All functions are pure."""

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}
"""Partition -> the host of its console."""


def execution_url(execution_arn: str) -> str:
    """Return the address of the page of an execution."""
    _, partition, _, region, *_ = execution_arn.split(":")
    page = f"states/home?region={region}#/v2/executions/details/{execution_arn}"
    return f"https://{console_host(partition)}/{page}"


def console_host(partition: str) -> str:
    """Return the host of the console. A partition that is not known has the host of `aws`."""
    return CONSOLES.get(partition, CONSOLES["aws"])
