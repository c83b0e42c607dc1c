"""The provider of the package, which creates the component for programs in any language."""

import json
from pathlib import Path

import pulumi
from pulumi.output import Unknown
from pulumi.provider import ConstructResult, Provider

from components import RetrainingPipeline
from components.args import to_camel_case
from components.errors import raise_if_any_problem
from components.naming import check_name
from components.rules.several_settings import check_args
from package.schema import OUTPUTS, TOKEN


class RetrainingProvider(Provider):
    """The provider of the component RetrainingPipeline. Its version is that of the schema."""

    def __init__(self) -> None:
        text = Path(__file__).with_name("schema.json").read_text()
        super().__init__(json.loads(text)["version"], text)

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Create a pipeline. The inputs have the keys of a stack's config.

        Raises InvalidPipelineError for a name or inputs that break a rule.
        """
        if resource_type != TOKEN:
            raise pulumi.RunError(f"{resource_type}: unknown; the package has {TOKEN}")
        checked = check_args({key: _as_config(value) for key, value in inputs.items()})
        raise_if_any_problem([*check_name(name), *map(str, checked.problems)], name)
        pipeline = RetrainingPipeline(name, checked.args, options)
        state = {to_camel_case(output): getattr(pipeline, output) for output in OUTPUTS}
        return ConstructResult(urn=pipeline.urn, state=state)


def _as_config(value: object) -> object:
    """Return an input as a config contains it, so that `check` can read it.

    The engine sends all numbers as floats, so whole numbers become int. A value that is still
    unknown in a preview becomes a `pulumi.Output`.
    """
    if isinstance(value, dict):
        return {key: _as_config(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_as_config(element) for element in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return pulumi.Output.from_input(value) if isinstance(value, Unknown) else value
