"""The component that deploys the pipeline of one dataset group."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from . import iam
from .alarms import create_alarms, create_topic
from .args import RetrainingPipelineArgs, as_config
from .constants import PIPELINE_DIMENSION, PIPELINE_TAG
from .dashboard import create_dashboard, dashboard_url
from .lambda_functions import CALLED_BY_EVENTS, Functions, create_functions, create_log_group
from .rules.arns import Home, parse_arn
from .rules.pipeline import check
from .schedules import (
    create_dead_letter_queue,
    create_schedules,
    report_unreported_runs,
    start_on_export,
)
from .shared import Shared, job_prefix, name_problems, raise_if_any_problem
from .state_machine.definition import definition
from .workflow_settings import workflow_settings


class RetrainingPipeline(pulumi.ComponentResource):
    """Retrains an Amazon Personalize dataset group on a schedule.

    A schedule starts a state machine that imports the exports of the datasets, trains a new version
    of each solution, and moves the campaigns of the solution to it.

    The names of all resources begin with `name`, which may contain letters, digits, `-` and `_`. It
    must be short enough for the names of roles. To rename a pipeline and keep its resources, give
    the component an alias.

    Raises InvalidPipelineError for arguments that break a rule, and for ARNs that are not in the
    caller's account and the provider's region, and if IAM would refuse a policy because of its
    length. Arguments that are outputs are checked once their values are known. A preview checks all
    that it knows.

    The key policy of `kms_key_arn` has to let CloudWatch Logs, CloudWatch alarms and the account's
    IAM policies use the key. docs/deployment.md has the statements.
    """

    state_machine_arn: pulumi.Output[str]
    """ARN of the Step Functions state machine. `{}` is a valid input for an execution."""

    schedule_arn: pulumi.Output[str]
    """ARN of the EventBridge Scheduler schedule that starts the state machine."""

    log_group_name: pulumi.Output[str]
    """CloudWatch log group of the Lambda functions. Each record is a JSON document."""

    import_role_arn: pulumi.Output[str]
    """ARN of the role that Personalize assumes to read the exports."""

    topic_arn: pulumi.Output[str]
    """ARN of the SNS topic that gets the reports of runs and the alarms."""

    dashboard_url: pulumi.Output[str]
    """Address of the CloudWatch dashboard in the console."""

    dead_letter_queue_url: pulumi.Output[str]
    """URL of the SQS queue for runs that the schedule could not start within an hour."""

    def __init__(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        checked = check(args)
        raise_if_any_problem([*name_problems(name), *map(str, checked.problems)], name)

        super().__init__("personalize-retraining:index:RetrainingPipeline", name, {}, opts)
        args = checked.args
        home = _checked_home(name, args, pulumi.InvokeOptions(parent=self))

        args = dataclasses.replace(args, tags={**args.tags, PIPELINE_TAG: name})
        # This makes every resource wait for the check of all arguments: it either has these tags,
        # or refers to a resource that has them.
        tags = home.apply(lambda _: args.tags)
        group = aws.scheduler.ScheduleGroup(
            name, tags=tags, opts=pulumi.ResourceOptions(parent=self)
        )
        shared = Shared(name=name, args=args, component=self, home=home, tags=tags, group=group)

        self.import_role_arn = _personalize_role_arn(
            shared,
            "import",
            args.import_role_arn,
            reads=[dataset.data_location for dataset in args.datasets.configured().values()],
        )
        self.topic_arn = create_topic(shared)
        self.dashboard_url = pulumi.Output.all(home, group.name).apply(
            lambda values: dashboard_url(*values)
        )

        batch_jobs = [job for solution in args.solutions for job in solution.batch_jobs]
        settings = workflow_settings(
            args,
            job_prefix=group.arn.apply(job_prefix),
            import_role_arn=self.import_role_arn,
            topic_arn=self.topic_arn,
            dashboard_url=self.dashboard_url,
            batch_role_arn=_personalize_role_arn(
                shared,
                "batch",
                args.batch_role_arn,
                reads=[job.input for job in batch_jobs],
                writes=[job.output for job in batch_jobs],
            )
            if batch_jobs
            else None,
        )

        resource_arns = pulumi.Output.all(
            settings=settings,
            home=home,
            unique_name=group.name,
            kms_key_arn=args.kms_key_arn,
            data_kms_key_arn=args.data_kms_key_arn,
        ).apply(lambda values: iam.resource_arns(**values))

        log_group = create_log_group(shared, f"{name}-functions")
        functions = create_functions(shared, log_group, resource_arns)
        machine = _create_state_machine(shared, settings, functions)

        queue = create_dead_letter_queue(shared)
        schedule = create_schedules(shared, machine.arn, functions["watch_pipeline"], queue)
        if args.trigger.on_export:
            start_on_export(shared, machine.arn, functions["start_on_export"])
        report_unreported_runs(
            shared, machine.arn, functions["close_run"], settings["notifications"]
        )

        alarm_arns = create_alarms(
            shared,
            settings,
            log_group_name=log_group.name,
            dimension_values={
                PIPELINE_DIMENSION: name,
                "StateMachineArn": machine.arn,
                "QueueName": queue.name,
            },
        )
        create_dashboard(
            shared,
            settings,
            alarm_arns=alarm_arns,
            log_group_name=log_group.name,
            state_machine_arn=machine.arn,
        )

        self.state_machine_arn = machine.arn
        self.schedule_arn = schedule.arn
        self.log_group_name = log_group.name
        self.dead_letter_queue_url = queue.url
        self.register_outputs(
            {output: getattr(self, output) for output in type(self).__annotations__}
        )


def _personalize_role_arn(
    shared: Shared,
    purpose: str,
    given_arn: pulumi.Input[str] | None,
    *,
    reads: Sequence[pulumi.Input[str]],
    writes: Sequence[pulumi.Input[str]] = (),
) -> pulumi.Output[str]:
    """Use the given role for Personalize, or create one.

    A created role may only read from the locations in `reads` and write to those in `writes`.
    """
    if given_arn is not None:
        return pulumi.Output.from_input(given_arn)

    grants = pulumi.Output.all(
        shared.home.partition, [*reads], [*writes], shared.args.data_kms_key_arn
    ).apply(lambda values: iam.file_grants(*values))
    role_name = f"{shared.name}-{purpose}"
    return iam.create_role(shared, role_name, "personalize", source="*", grants=grants)


def _create_state_machine(
    shared: Shared, settings: Mapping[str, object], functions: Functions
) -> aws.sfn.StateMachine:
    """Create the state machine, its role and its log group.

    It's called like the schedule group, so that the functions' policies can name it before it
    exists.
    """
    steps = [step for step in functions if step not in CALLED_BY_EVENTS]
    role_arn = _create_execution_role(shared, [functions[step].arn for step in steps])
    # The code of a published version never changes, not even under a running execution.
    qualified_arns = {step: functions[step].qualified_arn for step in steps}

    log_group = create_log_group(
        shared,
        shared.name,
        # AWS requires this prefix:
        # https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
        pulumi.Output.concat("/aws/vendedlogs/states/", shared.group.name),
    )

    return aws.sfn.StateMachine(
        shared.name,
        name=shared.group.name,
        type="STANDARD",
        definition=pulumi.Output.json_dumps(definition(qualified_arns, settings, shared.args)),
        role_arn=role_arn,
        logging_configuration={
            "level": "ERROR",
            "include_execution_data": False,
            "log_destination": pulumi.Output.concat(log_group.arn, ":*"),
        },
        tags=shared.tags,
        opts=pulumi.ResourceOptions(
            parent=shared.component,
            # AWS deletes a state machine only after each execution has reached its next
            # transition, and a Wait state may be long:
            # https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
            # The provider gives up after 5 minutes by default (terraform-provider-aws,
            # internal/service/sfn/state_machine.go).
            custom_timeouts=pulumi.CustomTimeouts(delete="2h"),
        ),
    )


def _create_execution_role(
    shared: Shared, function_arns: Sequence[pulumi.Output[str]]
) -> pulumi.Output[str]:
    """Create the state machine's role, which may invoke every version of these functions.

    After a deployment, running executions still need the versions from before.
    """
    every_version = [pulumi.Output.concat(arn, ":*") for arn in function_arns]

    return iam.create_role(
        shared,
        shared.name,
        "states",
        source="stateMachine:*",
        grants=[
            (["lambda:InvokeFunction"], [*function_arns, *every_version]),
            (iam.LOG_DELIVERY_ACTIONS, ["*"]),
        ],
    )


def _checked_home(
    name: str, args: RetrainingPipelineArgs, opts: pulumi.InvokeOptions
) -> pulumi.Output[Home]:
    """Derive the account and region from the ARNs, once all inputs are known and checked.

    Every resource needs the result, so none is registered before the check has passed.
    """
    stack = pulumi.get_stack()

    def home_of(config: Mapping[str, Any], account: str, region: str) -> Home:
        raise_if_any_problem(map(str, check(config).problems), name)

        arn = parse_arn(next(iter(config["datasets"].values()))["datasetArn"])
        assert arn is not None, "check() has found that it is an ARN"
        raise_if_any_problem(_caller_problems(arn.home, account, region, stack), name)
        return arn.home

    checked_home = pulumi.Output.all(
        config=as_config(args, keep_none=False),
        account=aws.get_caller_identity_output(opts=opts).account_id,
        region=aws.get_region_output(opts=opts).region,
    ).apply(lambda values: home_of(**values))

    # An ARN may be a secret, but its account and region are not. Without this line, the tags of
    # every resource would be secret as well.
    return pulumi.Output.unsecret(checked_home)


def _caller_problems(home: Home, account: str, region: str, stack: str) -> Iterator[str]:
    """Compare the account and region of the ARNs with those of the credentials and the provider."""
    if account != home.account:
        yield (
            f"account: the ARNs are in account {home.account!r}, but the current credentials "
            f"belong to account {account!r}; use credentials of {home.account!r}, for example with "
            "AWS_PROFILE or aws:profile"
        )

    if region != home.region:
        yield (
            f"region: the ARNs are in {home.region!r}, but the AWS provider uses {region!r}; "
            f"run 'pulumi config set aws:region {home.region} -s {stack}'"
        )
