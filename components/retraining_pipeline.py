"""The component that deploys the pipeline of one dataset group."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import pulumi
import pulumi_aws as aws

from . import iam, naming
from .args import RetrainingPipelineArgs, resolved
from .dashboard import dashboard_url
from .export_trigger import ExportTrigger, ExportTriggerArgs
from .lambda_functions import LambdaFunctions, LambdaFunctionsArgs
from .monitoring import Monitoring, MonitoringArgs, Notifications, NotificationTopicArgs
from .rules.arns import Home, parse_arn
from .rules.pipeline import problems
from .schedule import ModelAge, ModelAgeArgs, Schedule, ScheduleArgs
from .state_machine import asl
from .state_machine.definition import definition
from .workflow_settings import notification_settings, workflow_settings

PIPELINE_TAG = "retraining-pipeline"
"""Key of the tag that names the pipeline. Every resource and every job has it."""


class InvalidPipelineError(pulumi.RunError):
    """The arguments of the component have problems, which the message lists.

    The CLI shows the message of a RunError without a stack trace.
    """


class RetrainingPipeline(pulumi.ComponentResource):
    """Retrains an Amazon Personalize dataset group on a schedule.

    A schedule starts a state machine that imports the exports of the datasets, trains a new version
    of each solution, and moves the campaigns of the solution to it.

    The names of all resources begin with `name`, which has letters, digits, `-` and `_`. A name
    that is too long for the names of roles is refused, and the message says how long it may be. To
    keep the resources under another name, give the component an alias.

    Raises InvalidPipelineError for arguments that break a rule. Arguments that are outputs are
    checked once their values are known. The deployment also fails if the ARNs are not in the
    caller's account and the provider's region. The preview already checks this.

    The policy of the key `kms_key_arn` must let `logs.<region>.amazonaws.com` use it for this
    account's log groups
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html). It must
    also let IAM policies of this account grant kms:GenerateDataKey and kms:Decrypt, because the
    role of the schedule sends failed starts to the queue and the functions publish to the topic.
    `cloudwatch.amazonaws.com` needs the same two actions on it, to publish alarms
    (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
    """

    state_machine_arn: pulumi.Output[str]
    """ARN of the Step Functions state machine. `{}` is a valid input of an execution."""

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
    """URL of the SQS queue that keeps the starts that failed for an hour, for 14 days."""

    def __init__(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        today = datetime.now(tz=UTC).date()
        argument_problems = map(str, problems(args, today=today))
        raise_if_any_problem([*naming.name_problems(name), *argument_problems], name)
        super().__init__("personalize-retraining:index:RetrainingPipeline", name, {}, opts)
        home = _checked_home(name, args, today, pulumi.InvokeOptions(parent=self))
        args = dataclasses.replace(args, tags={**args.tags, PIPELINE_TAG: name})
        # The tags are known once _checked_home has passed. Every resource waits for this check,
        # because it has these tags or refers to a resource that has them.
        tags = home.apply(lambda _: args.tags)
        role_policies: list[pulumi.Resource] = []

        if args.import_role_arn is None:
            import_access = self._import_role(name, args, home, tags)
            role_policies.append(import_access.policy)
            self.import_role_arn = import_access.role.arn
        else:
            self.import_role_arn = pulumi.Output.from_input(args.import_role_arn)

        # The group comes before its schedule: the permissions of the functions name the group, and
        # the functions have to exist before the schedule.
        group = aws.scheduler.ScheduleGroup(
            name, tags=tags, opts=pulumi.ResourceOptions(parent=self)
        )
        job_prefix = group.arn.apply(naming.job_prefix)
        # The settings of the state machine have this address, and the dashboard shows the state
        # machine. So it is built from the name of the dashboard.
        self.dashboard_url = pulumi.Output.all(home, group.name).apply(
            lambda both: dashboard_url(Home(*both[0]), both[1])
        )
        self.topic_arn = Notifications(
            name,
            NotificationTopicArgs(
                notifications=args.notifications, kms_key_arn=args.kms_key_arn, tags=tags
            ),
            opts=pulumi.ResourceOptions(parent=self),
        ).topic_arn
        functions = self._functions(
            name, args, home, tags=tags, job_prefix=job_prefix, group_arn=group.arn
        )
        role_policies += [step_function.policy for step_function in functions.steps.values()]
        workflow = definition(
            {
                step: step_function.function.qualified_arn
                for step, step_function in functions.called_by_state_machine.items()
            },
            workflow_settings(
                args,
                job_prefix=job_prefix,
                import_role_arn=self.import_role_arn,
                topic_arn=self.topic_arn,
                dashboard_url=self.dashboard_url,
            ),
            args,
        )
        raise_if_any_problem(asl.problems(workflow), name)
        access = self._state_machine_role(name, args, home, tags, functions)
        role_policies.append(access.policy)
        machine = self._state_machine(
            name,
            args,
            tags=tags,
            workflow=workflow,
            role_arn=access.role.arn,
            # Pulumi has added a random suffix to the name of the group, so the name is unique.
            log_name=group.name,
            depends_on=role_policies,
        )
        execution_policies = functions.grant_executions(machine.arn)
        model_age = ModelAge(
            name,
            ModelAgeArgs(
                pipeline=args,
                tags=tags,
                group=group,
                state_machine_arn=machine.arn,
                measure_model_age=functions.steps["measure_model_age"],
                depends_on=[execution_policies["measure_model_age"]],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.trigger.on_export:
            ExportTrigger(
                name,
                ExportTriggerArgs(
                    datasets=args.datasets,
                    paused=args.paused,
                    tags=tags,
                    state_machine_arn=machine.arn,
                    start_on_export=functions.steps["start_on_export"],
                    start_on_export_policy=execution_policies["start_on_export"],
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
        schedule = Schedule(
            name,
            ScheduleArgs(
                pipeline=args,
                tags=tags,
                group=group,
                state_machine_arn=machine.arn,
                depends_on=[*role_policies, *execution_policies.values()],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

        Monitoring(
            name,
            MonitoringArgs(
                pipeline=args,
                home=home,
                tags=tags,
                unique_name=group.name,
                topic_arn=self.topic_arn,
                log_group_name=functions.log_group_name,
                state_machine_arn=machine.arn,
                notifications=notification_settings(args, self.topic_arn, self.dashboard_url),
                dead_letter_queue_name=schedule.dead_letter_queue_name,
                close_run=functions.steps["close_run"],
                close_run_policy=execution_policies["close_run"],
                first_measurement=model_age.first_measurement,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.state_machine_arn = machine.arn
        self.schedule_arn = schedule.schedule_arn
        self.log_group_name = functions.log_group_name
        self.dead_letter_queue_url = schedule.dead_letter_queue_url
        self.register_outputs(
            {
                "state_machine_arn": self.state_machine_arn,
                "schedule_arn": self.schedule_arn,
                "log_group_name": self.log_group_name,
                "import_role_arn": self.import_role_arn,
                "topic_arn": self.topic_arn,
                "dashboard_url": self.dashboard_url,
                "dead_letter_queue_url": self.dead_letter_queue_url,
            }
        )

    def _functions(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        home: pulumi.Output[Home],
        *,
        tags: pulumi.Output[Mapping[str, str]],
        job_prefix: pulumi.Output[str],
        group_arn: pulumi.Output[str],
    ) -> LambdaFunctions:
        """Create the functions, with the permissions that they need in this pipeline."""
        resource_arns = pulumi.Output.all(
            args=resolved(args),
            home=home,
            job_prefix=job_prefix,
            import_role_arn=self.import_role_arn,
            group_arn=group_arn,
            topic_arn=self.topic_arn,
        ).apply(lambda values: iam.resource_arns(**{**values, "home": Home(*values["home"])}))
        return LambdaFunctions(
            name,
            LambdaFunctionsArgs(pipeline=args, tags=tags, resource_arns=resource_arns),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _import_role(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        home: pulumi.Output[Home],
        tags: pulumi.Output[Mapping[str, str]],
    ) -> iam.RoleWithPolicy:
        """Create the role that Personalize assumes to read the exports."""
        datasets = args.datasets.configured().values()
        policy = pulumi.Output.all(
            partition=home.partition,
            locations=[dataset.data_location for dataset in datasets],
            data_kms_key_arn=args.data_kms_key_arn,
        ).apply(lambda values: iam.import_policy(**values))
        return iam.role_with_policy(
            f"{name}-import",
            trust=home.apply(iam.personalize_trust),
            policy=policy,
            args=args,
            tags=tags,
            parent=self,
        )

    def _state_machine_role(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        home: pulumi.Output[Home],
        tags: pulumi.Output[Mapping[str, str]],
        functions: LambdaFunctions,
    ) -> iam.RoleWithPolicy:
        """Create the role of the state machine, which may call the functions."""
        function_arns = [
            step_function.function.arn
            for step_function in functions.called_by_state_machine.values()
        ]
        return iam.role_with_policy(
            name,
            trust=home.apply(iam.states_trust),
            policy=pulumi.Output.all(*function_arns).apply(iam.state_machine_policy),
            args=args,
            tags=tags,
            parent=self,
        )

    def _state_machine(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        *,
        tags: pulumi.Output[Mapping[str, str]],
        workflow: asl.Definition,
        role_arn: pulumi.Output[str],
        log_name: pulumi.Output[str],
        depends_on: Sequence[pulumi.Resource],
    ) -> aws.sfn.StateMachine:
        """Create the state machine and its log group, whose name ends in `log_name`."""
        log_group = aws.cloudwatch.LogGroup(
            name,
            # AWS requires this prefix:
            # https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
            name=pulumi.Output.concat("/aws/vendedlogs/states/", log_name),
            retention_in_days=args.log_retention_days,
            kms_key_id=args.kms_key_arn,
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return aws.sfn.StateMachine(
            name,
            type="STANDARD",
            definition=pulumi.Output.json_dumps(workflow),
            role_arn=role_arn,
            logging_configuration={
                "level": "ERROR",
                "include_execution_data": False,
                "log_destination": pulumi.Output.concat(log_group.arn, ":*"),
            },
            tracing_configuration={"enabled": True},
            tags=tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=depends_on,
                # AWS deletes a state machine only after each execution has reached its next
                # transition, which may be at the end of a long Wait state:
                # https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
                # The provider gives up after 5 minutes by default (terraform-provider-aws,
                # internal/service/sfn/state_machine.go).
                custom_timeouts=pulumi.CustomTimeouts(delete="2h"),
            ),
        )


def raise_if_any_problem(messages: Iterable[str], name: str) -> None:
    """Raise InvalidPipelineError with all messages about the pipeline `name`, if there are any."""
    if lines := list(messages):
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        header = f"{count} in the retraining pipeline {name!r}:"
        raise InvalidPipelineError("\n  ".join([header, *lines]))


def _checked_home(
    name: str, args: RetrainingPipelineArgs, today: date, opts: pulumi.InvokeOptions
) -> pulumi.Output[Home]:
    """Return the home of the ARNs, once all inputs are known and have been checked.

    Raises InvalidPipelineError for arguments that break a rule, and for ARNs that are not in the
    account of the credentials and the region of the provider.
    """
    stack = pulumi.get_stack()

    def check(known_args: RetrainingPipelineArgs, account: str, region: str) -> Home:
        raise_if_any_problem(map(str, problems(known_args, today=today)), name)
        arn = parse_arn(str(known_args.solutions[0].solution_arn))
        assert arn is not None, "problems() has checked that it is an ARN"
        raise_if_any_problem(_caller_problems(arn.home, account, region, stack), name)
        return arn.home

    checked_home = pulumi.Output.all(
        known_args=resolved(args),
        account=aws.get_caller_identity_output(opts=opts).account_id,
        region=aws.get_region_output(opts=opts).region,
    ).apply(lambda values: check(**values))
    # An ARN may be a secret, but its account and region are not. Without this line, the tags of
    # every resource would be secret as well.
    return pulumi.Output.unsecret(checked_home)


def _caller_problems(home: Home, account: str, region: str, stack: str) -> Iterator[str]:
    """Yield a message if the ARNs are not in this account, and one if not in this region."""
    if account != home.account:
        yield (
            f"account: the ARNs are in account {home.account!r}, but the current credentials "
            f"belong "
            f"to account {account!r}; use credentials of {home.account!r}, for example with "
            "AWS_PROFILE or aws:profile"
        )
    if region != home.region:
        yield (
            f"region: the ARNs are in {home.region!r}, but the AWS provider uses {region!r}; "
            f"run 'pulumi config set aws:region {home.region} -s {stack}'"
        )
