"""Prints the page of the permissions of the functions, which are the rows of `function_configs.py`.

Use: `python -m docs.permissions > docs/permissions.md`.
"""

import sys

from components.function_configs import FUNCTION_CONFIGS, FunctionConfig

PAGE = """\
# What the functions may do

This page is generated from `components/function_configs.py`:
`python -m docs.permissions > docs/permissions.md`.

Each function has its own role. Each role may write the logs of its function. The
table lists all other permissions. Actions without a service are actions of Personalize.

| function | permissions |
| --- | --- |
{rows}

- "Any" is `*`, for actions that support no narrower resource.
- "All import jobs" and "all batch jobs" are those of the account. The roles may read them, and tag
  the import jobs.
- "Bake alarms" are `*` if a campaign has a bake, because CloudWatch otherwise returns no composite
  alarms.
- "Recommenders" and the "recommender list" are those of the account, and only the roles of a stack
  with `solutions: []` may read them. A list supports no narrower resource.
- Every other resource is named in the config, or belongs to a resource in the config. So no
  function can change another dataset, solution or campaign.
- Schemas, filters and the dataset group can only be described. Exports, inputs and results of
  batch jobs can only be listed and read.
"""


def page() -> str:
    """Return the whole page."""
    rows = [f"| `{name}` | {permissions(config)} |" for name, config in FUNCTION_CONFIGS.items()]
    return PAGE.format(rows="\n".join(rows))


def permissions(config: FunctionConfig) -> str:
    """Return the permissions of a function as text, for example `UpdateCampaign on campaigns`."""
    grants = [
        f"{', '.join(action.removeprefix('personalize:') for action in actions)} on {kind}"
        for kind, actions in config.permissions.items()
    ]
    return "; ".join(grants) or "nothing"


if __name__ == "__main__":
    sys.stdout.write(page())
