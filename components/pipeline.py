"""The component that deploys a pipeline for one dataset group."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from . import iam
from .alarms import create_alarms, create_topic
from .args import RetrainingPipelineArgs, to_config
from .constants import PIPELINE_DIMENSION, PIPELINE_TAG
from .context import PipelineContext, call_when_known
from .dashboard import build_dashboard_url, create_dashboard
from .errors import raise_if_any_problem
from .lambda_functions import (
    FUNCTIONS_CALLED_BY_EVENTS,
    FunctionByModule,
    create_functions,
    create_log_group,
)
from .naming import check_name, derive_job_prefix
from .rules.arns import Environment
from .rules.several_settings import check_args
from .schedules import (
    create_close_run_rule,
    create_dead_letter_queue,
    create_export_trigger,
    create_schedules,
)
from .state_machine.definition import build_definition
from .workflow_settings import build_workflow_settings


class RetrainingPipeline(pulumi.ComponentResource):
    """Retrains an Amazon Personalize dataset group on a schedule.

    A schedule starts a state machine that imports each dataset's export, trains a new version of
    each solution, and updates the solution's campaigns to that version.

    The names of all resources begin with `name`, which may contain letters, digits, `-` and `_`. It
    must be short enough for role names. To rename a pipeline and keep its resources, give the
    component an alias.

    Invalid arguments raise InvalidPipelineError, which lists all problems. ARNs outside the
    caller's account or the provider's region, and a policy that is too long for IAM, raise it as
    well. Outputs are checked once their values are known, so a preview cannot check all of them.

    The key policy of `kms_key_arn` must let CloudWatch Logs, CloudWatch alarms and the account's
    IAM policies use the key. docs/deployment.md has the statements.
    """

    state_machine_arn: Output[str]
    """ARN of the Step Functions state machine. `{}` is valid input for an execution."""

    schedule_arn: Output[str]
    """ARN of the EventBridge Scheduler schedule that starts the state machine."""

    log_group_name: Output[str]
    """CloudWatch log group of the Lambda functions. Each record is a JSON document."""

    import_role_arn: Output[str | None]
    """ARN of the role that Personalize assumes to read the exports, or None without datasets."""

    topic_arn: Output[str]
    """ARN of the SNS topic that gets run reports and alarms."""

    dashboard_url: Output[str]
    """Address of the CloudWatch dashboard in the console."""

    dead_letter_queue_url: Output[str]
    """URL of the SQS queue for runs that the schedule could not start within an hour."""

    def __init__(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        checked = check_args(args)
        raise_if_any_problem([*check_name(name), *checked.problems], name)

        super().__init__("personalize-retraining:index:RetrainingPipeline", name, {}, opts)
        context = _create_context(self, name, checked.args)
        args = context.args

        self.import_role_arn = _get_or_create_import_role(context)
        self.topic_arn = create_topic(context)
        self.dashboard_url = call_when_known(
            build_dashboard_url, environment=context.environment, name=context.unique_name
        )
        workflow_settings = build_workflow_settings(
            args,
            job_prefix=context.schedule_group.arn.apply(derive_job_prefix),
            import_role_arn=self.import_role_arn,
            batch_role_arn=_get_or_create_batch_role(context),
            topic_arn=self.topic_arn,
            dashboard_url=self.dashboard_url,
        )

        resource_arns = call_when_known(
            iam.list_resource_arns,
            settings=workflow_settings,
            environment=context.environment,
            unique_name=context.unique_name,
            kms_key_arn=args.kms_key_arn,
            data_kms_key_arn=args.data_kms_key_arn,
        )
        log_group = create_log_group(context, f"{name}-functions")
        functions = create_functions(context, log_group, resource_arns)
        state_machine = _create_state_machine(context, workflow_settings, functions)

        queue = create_dead_letter_queue(context)
        schedule = create_schedules(context, state_machine.arn, functions["watch_pipeline"], queue)
        if args.trigger.on_export:
            create_export_trigger(context, state_machine.arn, functions["start_on_export"])
        create_close_run_rule(
            context, state_machine.arn, functions["close_run"], workflow_settings["notifications"]
        )

        alarm_arns = create_alarms(
            context,
            workflow_settings,
            log_group_name=log_group.name,
            dimension_values={
                PIPELINE_DIMENSION: name,
                "StateMachineArn": state_machine.arn,
                "QueueName": queue.name,
            },
        )
        create_dashboard(
            context,
            workflow_settings,
            alarm_arns=alarm_arns,
            log_group_name=log_group.name,
            state_machine_arn=state_machine.arn,
        )

        self.state_machine_arn = state_machine.arn
        self.schedule_arn = schedule.arn
        self.log_group_name = log_group.name
        self.dead_letter_queue_url = queue.url
        self.register_outputs(
            {output: getattr(self, output) for output in type(self).__annotations__}
        )


def _create_context(
    component: pulumi.Resource, name: str, args: RetrainingPipelineArgs
) -> PipelineContext:
    """Collect what all resources need. The schedule group, which is part of it, is created here."""
    environment = _check_args_once_known(name, args, pulumi.InvokeOptions(parent=component))
    tagged_args = dataclasses.replace(args, tags={**args.tags, PIPELINE_TAG: name})
    # The tags become known once all arguments have been checked. Every resource has these tags or
    # refers to a resource that has them, so none is created before.
    tags = environment.apply(lambda _: tagged_args.tags)

    schedule_group = aws.scheduler.ScheduleGroup(
        name, tags=tags, opts=pulumi.ResourceOptions(parent=component)
    )
    return PipelineContext(
        name=name,
        args=tagged_args,
        component=component,
        environment=environment,
        tags=tags,
        schedule_group=schedule_group,
    )


def _check_args_once_known(
    name: str, args: RetrainingPipelineArgs, opts: pulumi.InvokeOptions
) -> Output[Environment]:
    """Check the arguments once all are known. Return the environment in their ARNs."""
    environment = call_when_known(
        _check_resolved_args,
        name=name,
        stack=pulumi.get_stack(),
        config=to_config(args, keep_none=False),
        account=aws.get_caller_identity_output(opts=opts).account_id,
        region=aws.get_region_output(opts=opts).region,
    )

    # An ARN may be secret, but its account and region aren't. Without this line, every resource's
    # tags would be secret, too.
    return Output.unsecret(environment)


def _check_resolved_args(
    *, name: str, stack: str, config: Mapping[str, object], account: str, region: str
) -> Environment:
    """Check arguments whose outputs have been resolved. Return the environment in their ARNs."""
    checked = check_args(config)
    raise_if_any_problem(checked.problems, name)

    environment = checked.args.first_arn.environment
    raise_if_any_problem(_check_caller(environment, account, region, stack), name)
    return environment


def _check_caller(expected: Environment, account: str, region: str, stack: str) -> Iterator[str]:
    """Check the ARNs' account against the credentials, and their region against the provider."""
    if account != expected.account:
        yield (
            f"account: the ARNs are in account {expected.account!r}, but the current credentials "
            f"belong to account {account!r}; use credentials of {expected.account!r}, for example "
            "with AWS_PROFILE or aws:profile"
        )

    if region != expected.region:
        yield (
            f"region: the ARNs are in {expected.region!r}, but the AWS provider uses {region!r}; "
            f"run 'pulumi config set aws:region {expected.region} -s {stack}'"
        )


def _get_or_create_import_role(context: PipelineContext) -> Output[str | None]:
    """Return the ARN of the role for imports, or None if there are no datasets."""
    datasets = context.args.datasets.configured().values()
    if not datasets:
        return Output.from_input(None)

    return _get_or_create_personalize_role(
        context,
        "import",
        context.args.import_role_arn,
        read_locations=[dataset.data_location for dataset in datasets],
        key_arns=[context.args.data_kms_key_arn],
    )


def _get_or_create_batch_role(context: PipelineContext) -> Output[str] | None:
    """Return the ARN of the role for batch jobs, or None if there are no batch jobs."""
    batch_jobs = [job for solution in context.args.solutions for job in solution.batch_jobs]
    if not batch_jobs:
        return None

    return _get_or_create_personalize_role(
        context,
        "batch",
        context.args.batch_role_arn,
        read_locations=[job.input for job in batch_jobs],
        write_locations=[job.output for job in batch_jobs],
        key_arns=[job.kms_key_arn or context.args.data_kms_key_arn for job in batch_jobs],
    )


def _get_or_create_personalize_role(
    context: PipelineContext,
    purpose: str,
    existing_arn: Input[str] | None,
    *,
    read_locations: Sequence[Input[str]],
    write_locations: Sequence[Input[str]] = (),
    key_arns: Sequence[Input[str] | None],
) -> Output[str]:
    """Return the ARN of the role that Personalize assumes. Create one unless the arguments name it.

    A created role may only read `read_locations` and write to `write_locations`.
    """
    if existing_arn is not None:
        return Output.from_input(existing_arn)

    grants = call_when_known(
        iam.build_s3_grants,
        partition=context.environment.partition,
        read_locations=read_locations,
        write_locations=write_locations,
        key_arns=key_arns,
    )
    return iam.create_role(
        context, f"{context.name}-{purpose}", "personalize", source_resource="*", grants=grants
    )


def _create_state_machine(
    context: PipelineContext, workflow_settings: Mapping[str, object], functions: FunctionByModule
) -> aws.sfn.StateMachine:
    """Create the state machine, its role and its log group.

    It shares the name of the schedule group, which already exists, so that the functions' policies
    can refer to the state machine before it's created.
    """
    modules = [module for module in functions if module not in FUNCTIONS_CALLED_BY_EVENTS]
    role_arn = _create_execution_role(context, [functions[module].arn for module in modules])
    # The code of a published version never changes, not even during an execution.
    version_arns = {module: functions[module].qualified_arn for module in modules}
    definition = build_definition(version_arns, workflow_settings, context.args)

    log_group = create_log_group(
        context,
        context.name,
        # AWS requires this prefix:
        # https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
        Output.concat("/aws/vendedlogs/states/", context.unique_name),
    )

    return aws.sfn.StateMachine(
        context.name,
        name=context.unique_name,
        type="STANDARD",
        definition=Output.json_dumps(definition),
        role_arn=role_arn,
        logging_configuration={
            "level": "ERROR",
            "include_execution_data": False,
            "log_destination": Output.concat(log_group.arn, ":*"),
        },
        tags=context.tags,
        opts=pulumi.ResourceOptions(
            parent=context.component,
            # AWS deletes a state machine only once each execution has reached its next transition,
            # and a Wait state may be long:
            # https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
            # By default, the provider gives up after 5 minutes (terraform-provider-aws,
            # internal/service/sfn/state_machine.go).
            custom_timeouts=pulumi.CustomTimeouts(delete="2h"),
        ),
    )


def _create_execution_role(
    context: PipelineContext, function_arns: Sequence[Output[str]]
) -> Output[str]:
    """Create the state machine's role, which may invoke every version of these functions.

    After a deployment, running executions still need the previous versions.
    """
    every_version = [Output.concat(arn, ":*") for arn in function_arns]

    return iam.create_role(
        context,
        context.name,
        "states",
        source_resource="stateMachine:*",
        grants=[
            (["lambda:InvokeFunction"], [*function_arns, *every_version]),
            (iam.LOG_DELIVERY_ACTIONS, ["*"]),
        ],
    )
