"""The component: everything that one dataset group's pipeline deploys, wired together."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime

import pulumi
import pulumi_aws as aws

from . import iam, naming
from .args import RetrainingPipelineArgs, resolved
from .document import document
from .lambda_functions import LambdaFunctions, LambdaFunctionsArgs
from .monitoring import Monitoring, MonitoringArgs
from .rules.arns import Home, parse
from .rules.pipeline import problems
from .schedule import Schedule, ScheduleArgs
from .state_machine import asl
from .state_machine.definition import definition

TAG = "retraining-pipeline"
"""Key of the tag, on every resource and job, that names the pipeline they belong to."""


class InvalidPipelineError(pulumi.RunError):
    """The component was given what cannot be deployed; the message tells every problem.

    A RunError, so that the CLI shows the message and no stack trace.
    """


class RetrainingPipeline(pulumi.ComponentResource):
    """Retrains an Amazon Personalize dataset group on a schedule.

    A schedule starts a state machine that imports the datasets' exports, trains a new version of
    each solution, and moves the solution's campaigns to it.

    `name` begins the names of all resources: letters, digits, `-` and `_`, at most as many as
    naming.LONGEST_NAME says. An alias of the component keeps its resources under another name.

    Raises InvalidPipelineError for arguments that break a rule. For those that are still outputs
    the deployment fails once they are known; it fails, as early as in the preview, when the
    caller's account or the provider's region is not that of the ARNs.

    The policy of the key `kms_key_arn` must let `logs.<region>.amazonaws.com` use it for this
    account's log groups
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html), and let
    IAM policies of this account grant kms:GenerateDataKey and kms:Decrypt: the schedule's role puts
    into the queue what it could not start.
    """

    state_machine_arn: pulumi.Output[str]
    """ARN of the Step Functions state machine; `{}` is a valid input to start it with."""

    schedule_arn: pulumi.Output[str]
    """ARN of the EventBridge Scheduler schedule that starts the state machine."""

    log_group_name: pulumi.Output[str]
    """CloudWatch log group of the Lambda functions; a JSON document per record."""

    import_role_arn: pulumi.Output[str]
    """ARN of the role that Personalize assumes to read the exports, given or created."""

    dead_letter_queue_url: pulumi.Output[str]
    """URL of the SQS queue that keeps for 14 days the starts that failed for an hour."""

    def __init__(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        today = datetime.now(tz=UTC).date()
        refuse_any([*naming.problems(name), *map(str, problems(args, today=today))], name)
        super().__init__("personalize-retraining:index:RetrainingPipeline", name, {}, opts)
        home = _checked_home(name, args, today, pulumi.InvokeOptions(parent=self))
        args = dataclasses.replace(args, tags={**args.tags, TAG: name})
        # These tags are known once the check has passed. Every resource waits for them: it either
        # has the tags or, where AWS has none, refers to a resource that has them.
        tags = home.apply(lambda _: args.tags)
        role_policies: list[pulumi.Resource] = []

        if args.import_role_arn is None:
            role, policy = self._import_role(name, args, home, tags)
            role_policies.append(policy)
            self.import_role_arn = role.arn
        else:
            self.import_role_arn = pulumi.Output.from_input(args.import_role_arn)

        # Here rather than with its schedule: plan_retraining may read the group's schedules, the
        # state machine calls plan_retraining, and the schedule starts the state machine.
        group = aws.scheduler.ScheduleGroup(
            name, tags=tags, opts=pulumi.ResourceOptions(parent=self)
        )
        job_prefix = group.arn.apply(naming.job_prefix)
        former_job_prefix = naming.former_job_prefix(
            pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack(), name
        )
        functions = LambdaFunctions(
            name,
            LambdaFunctionsArgs(
                pipeline=args,
                tags=tags,
                resources=iam.resources(
                    args, home, [job_prefix, former_job_prefix], self.import_role_arn, group.arn
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        role_policies += [step.policy for step in functions.steps.values()]
        workflow = definition(
            {step: deployed.function.qualified_arn for step, deployed in functions.called.items()},
            document(args, job_prefix=job_prefix, import_role_arn=self.import_role_arn),
            args,
        )
        refuse_any(asl.problems(workflow), name)
        role, policy = self._state_machine_role(name, args, home, tags, functions)
        role_policies.append(policy)
        log_group = aws.cloudwatch.LogGroup(
            name,
            # The name must begin so: https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
            # The name of the schedule group, which Pulumi made unique, ends it.
            name=pulumi.Output.concat("/aws/vendedlogs/states/", group.name),
            retention_in_days=args.log_retention_days,
            kms_key_id=args.kms_key_arn,
            tags=tags,
            # Earlier releases ended the name differently. A new name would replace the log group
            # and delete the logs of an existing stack.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["name"]),
        )
        machine = aws.sfn.StateMachine(
            name,
            type="STANDARD",
            definition=pulumi.Output.json_dumps(workflow),
            role_arn=role.arn,
            logging_configuration={
                "level": "ERROR",
                "include_execution_data": False,
                "log_destination": pulumi.Output.concat(log_group.arn, ":*"),
            },
            tracing_configuration={"enabled": True},
            tags=tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=role_policies,
                # AWS deletes it only when each execution has reached its next transition, which may
                # be at the end of a long Wait state:
                # https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachine.html
                # By default the provider gives up after 5 minutes: terraform-provider-aws,
                # internal/service/sfn/state_machine.go.
                custom_timeouts=pulumi.CustomTimeouts(delete="2h"),
            ),
        )
        later_policies = functions.grant_state_machine(machine.arn)
        Monitoring(
            name,
            MonitoringArgs(
                tags=tags,
                state_machine_arn=machine.arn,
                close_run=functions.steps["close_run"],
                close_run_policy=later_policies["close_run"],
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
                after=[*role_policies, *later_policies.values()],
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
                "dead_letter_queue_url": self.dead_letter_queue_url,
            }
        )

    def _state_machine_role(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        home: pulumi.Output[Home],
        tags: pulumi.Output[Mapping[str, str]],
        functions: LambdaFunctions,
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(
            name,
            assume_role_policy=pulumi.Output.json_dumps(home.apply(iam.states_trust)),
            permissions_boundary=args.permissions_boundary_arn,
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        policy = aws.iam.RolePolicy(
            name,
            role=role.name,
            policy=pulumi.Output.json_dumps(
                pulumi.Output.all(
                    *(deployed.function.arn for deployed in functions.called.values())
                ).apply(iam.state_machine_policy)
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return role, policy

    def _import_role(
        self,
        name: str,
        args: RetrainingPipelineArgs,
        home: pulumi.Output[Home],
        tags: pulumi.Output[Mapping[str, str]],
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(
            f"{name}-import",
            assume_role_policy=pulumi.Output.json_dumps(home.apply(iam.personalize_trust)),
            permissions_boundary=args.permissions_boundary_arn,
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        policy = aws.iam.RolePolicy(
            f"{name}-import",
            role=role.name,
            policy=pulumi.Output.json_dumps(
                pulumi.Output.all(
                    partition=home.partition,
                    locations=[dataset.data_location for _, dataset in args.datasets.configured()],
                    data_kms_key_arn=args.data_kms_key_arn,
                ).apply(lambda known: iam.import_policy(**known))
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return role, policy


def _checked_home(
    name: str, args: RetrainingPipelineArgs, today: date, opts: pulumi.InvokeOptions
) -> pulumi.Output[Home]:
    """Return the home of the ARNs once they are known, valid and in the account of the caller."""

    def check(known: RetrainingPipelineArgs, account: str, region: str) -> Home:
        refuse_any(map(str, problems(known, today=today)), name)
        arn = parse(str(known.solutions[0].solution_arn))
        assert arn is not None, "problems() has found nothing wrong with it"
        refuse_any(_caller_problems(arn.home, account, region), name)
        return arn.home

    checked = pulumi.Output.all(
        known=resolved(args),
        account=aws.get_caller_identity_output(opts=opts).account_id,
        region=aws.get_region_output(opts=opts).region,
    ).apply(lambda values: check(**values))
    # An ARN may be a secret. Its region and account are not, and every resource depends on them.
    return pulumi.Output.unsecret(checked)


def _caller_problems(home: Home, account: str, region: str) -> Iterator[str]:
    if account != home.account:
        yield (
            f"account: the ARNs are in {home.account!r}, the credentials in use of {account!r}; "
            f"use credentials of the ARNs' account, for example by AWS_PROFILE or aws:profile"
        )
    if region != home.region:
        yield (
            f"region: the ARNs are in {home.region!r}, the AWS provider in {region!r}; "
            f"run 'pulumi config set aws:region {home.region}'"
        )


def refuse_any(found: Iterable[str], name: str) -> None:
    """Raise InvalidPipelineError if any problem was found in the pipeline `name`."""
    if lines := list(found):
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise InvalidPipelineError(
            "\n  ".join([f"{count} in the retraining pipeline {name!r}:", *lines])
        )
