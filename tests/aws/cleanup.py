"""Finds what trials have left in an account, and removes it.

Only what has the tag of a trial, or is on the list of one, is ever touched. In both cases PREFIX
has to be in the name, unless it is a KMS key, which has none.
"""

import re
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import yaml
from botocore.exceptions import ClientError

from retrain.account.errors import AWS_ERRORS
from tests.aws.account import LIST, POLL_SECONDS, PREFIX, TAG, say

KINDS = yaml.safe_load(Path(__file__).with_name("kinds.yaml").read_text())
MOST_PASSES = 120
"""How often the rest is tried again. With 15 seconds in between, that makes half an hour, because a
campaign takes minutes until it is gone, and before that its solution cannot be deleted."""
IDS = ("arn", "url", "keyid", "resource")
"""How the names of fields end that want the id of a resource. Others want its name."""
ALL = f"{PREFIX}*"
"""The names of all trials, as a pattern."""
UNTAGGED = re.compile("Key AccessDenied|NotFound|NoSuch|NonExistent|DoesNotExist")
"""What is in the type of a resource and the code of the error if it has no tags for us. Keys of
others may be closed to us, and a resource may be gone by now."""


class Found(NamedTuple):
    """A resource, which may belong to a trial."""

    kind: Mapping
    """Its row in `kinds.yaml`."""

    name: str
    id: str

    def __str__(self):
        """Return the type and the name, for people."""
        return f"{self.kind['noun']} {self.name}"


def find(account, reasons, trial=ALL):
    """Yield what belongs to the trials whose names match, in the account and the region.

    If AWS refuses a search, the reason is added, and the search for the other types goes on.
    """
    for kind in KINDS:
        try:
            yield from find_kind(account, kind, trial)
        except AWS_ERRORS as error:
            reasons[f"what the search for {kind['noun']} would find"] = str(error)


def find_kind(account, kind, trial):
    """Yield the resources of a type that belong to the trials whose names match."""
    client = account.client(kind["service"])
    entries = [
        entry
        for file in account.find_files(f"{trial}/{LIST}")
        for entry in file.read_text().splitlines()
    ]
    for found in search(client, kind):
        if belongs(client, found, entries, trial):
            yield found


def search(client, kind):
    """Yield all resources of a type, whoever owns them."""
    operation, results, *fields = kind["list"]
    for page in client.get_paginator(operation).paginate():
        for row in page.get(results, ()):
            yield Found(kind, *([row[field] for field in fields] or (row, row)))


def belongs(client, found, entries, trial):
    """Return whether a resource is on a list, or has the tag of a trial whose name matches."""
    is_key = found.kind["noun"] == "Key"
    if PREFIX not in found.name and not is_key:
        return False
    if any(fnmatch(str(found), entry) for entry in entries):
        return True

    is_tagged = "tags" in found.kind and fnmatch(read_tags(client, found).get(TAG, ""), trial)
    if is_tagged and is_key:
        # It may be scheduled for deletion by now.
        return client.describe_key(KeyId=found.id)["KeyMetadata"]["Enabled"]
    return is_tagged


def read_tags(client, found):
    """Return the tags of a resource, whatever form its service gives them."""
    try:
        response = call(client, found.kind["tags"], found)
    except ClientError as error:
        if UNTAGGED.search(f"{found.kind['noun']} {error.response['Error']['Code']}"):
            return {}
        raise

    tags = next((response[field] for field in ("Tags", "tags", "TagSet") if field in response), {})
    if isinstance(tags, dict):
        return tags
    rows = [{key.lower().removeprefix("tag"): row[key] for key in row} for row in tags]
    return {row["key"]: row["value"] for row in rows}


def call(client, operation, found):
    """Call an operation on a resource. The first field of its request says which one."""
    method = client.meta.method_to_api_mapping[operation]
    shape = client.meta.service_model.operation_model(method).input_shape
    field = next(iter(shape.required_members or shape.members))
    value = found.id if field.lower().endswith(IDS) else found.name
    if shape.members[field].type_name == "list":
        value = [value]
    return getattr(client, operation)(**{field: value})


def remove(account, trial=ALL):
    """Remove what belongs to the trials whose names match, and their folders.

    Return what could not be removed, and why.

    Some resources take minutes until they are gone, and cannot be deleted before others are. So the
    rest is tried again until nothing is found any more.
    """
    for _ in range(MOST_PASSES):
        reasons = {}
        for found in find(account, reasons, trial):
            reasons[str(found)] = try_to_delete(account, found)
        if not reasons:
            for folder in account.find_files(trial):
                shutil.rmtree(folder)
            break
        say("removing %s", ", ".join(reasons))
        account.sleep(POLL_SECONDS)

    return [f"{name} is still there: {reason}" for name, reason in reasons.items()]


def try_to_delete(account, found):
    """Delete a resource. Return why that is not possible yet, or the empty string."""
    client = account.client(found.kind["service"])
    noun = found.kind["noun"]
    try:
        if noun in PREPARATIONS:
            PREPARATIONS[noun](client, found)
        call(client, found.kind["delete"], found)
        if noun == "Key":
            account.kept.append(f"{found} is scheduled for deletion, in 30 days")
    except AWS_ERRORS as error:
        return str(error)
    return ""


# What has to happen before some resources can be deleted


def stop_executions(client, machine):
    """Stop the executions of a state machine, which would go on for a while without it."""
    running = client.list_executions(stateMachineArn=machine.id, statusFilter="RUNNING")
    for execution in running["executions"]:
        client.stop_execution(executionArn=execution["executionArn"], cause="end of a trial")


def stop_trainings(client, solution):
    """Stop the trainings of a solution, which cost money."""
    versions = client.list_solution_versions(solutionArn=solution.id)["solutionVersions"]
    for version in versions:
        if version["status"] in ("CREATE PENDING", "CREATE IN_PROGRESS"):
            client.stop_solution_version_creation(solutionVersionArn=version["solutionVersionArn"])


def remove_targets(client, rule):
    """Remove the targets of a rule."""
    targets = client.list_targets_by_rule(Rule=rule.name)["Targets"]
    if targets:
        client.remove_targets(Rule=rule.name, Ids=[target["Id"] for target in targets])


def remove_policies(client, role):
    """Delete the inline policies of a role. Trials attach no others."""
    for name in client.list_role_policies(RoleName=role.name)["PolicyNames"]:
        client.delete_role_policy(RoleName=role.name, PolicyName=name)


def empty_bucket(client, bucket):
    """Delete all objects of a bucket. Trials switch no versioning on."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name):
        for row in page.get("Contents", ()):
            client.delete_object(Bucket=bucket.name, Key=row["Key"])


PREPARATIONS = {
    "StateMachine": stop_executions,
    "Solution": stop_trainings,
    "Rule": remove_targets,
    "Role": remove_policies,
    "Bucket": empty_bucket,
}
