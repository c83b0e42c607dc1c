"""The roles of IAM and their inline policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.rows import Change, Identity, Row, Rows, Snapshot, Tagging, delete_by_id
from emulator.deployer.translation import DOCUMENT, TAGS, Request

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws

NOT_FOUND_CODES = frozenset({"NoSuchEntity"})


def _create_role(request: Request, aws: Aws) -> str:
    return str(aws.call("iam", "CreateRole", request)["Role"]["RoleName"])


def _read_role(identity: Identity, aws: Aws) -> Snapshot:
    role = aws.call("iam", "GetRole", {"RoleName": identity.id})["Role"]
    values = {"Tags": [], **role}
    if "PermissionsBoundary" in role:
        values["PermissionsBoundary"] = role["PermissionsBoundary"]["PermissionsBoundaryArn"]
    return Snapshot(
        values,
        {
            "arn": role["Arn"],
            "createDate": role["CreateDate"].isoformat(),
            "uniqueId": role["RoleId"],
        },
    )


def _update_role(change: Change, aws: Aws) -> None:
    """Set the inputs that have changed. The trust policy and the boundary need separate calls."""
    role, request = {"RoleName": change.id}, change.request
    if "AssumeRolePolicyDocument" in change.changed:
        document = {"PolicyDocument": request["AssumeRolePolicyDocument"]}
        aws.call("iam", "UpdateAssumeRolePolicy", {**role, **document})
    if change.changed & {"Description", "MaxSessionDuration"}:
        # UpdateRole clears the description if the request leaves it out.
        description = {"Description": request.get("Description", "")}
        duration = {"MaxSessionDuration": request["MaxSessionDuration"]}
        aws.call("iam", "UpdateRole", {**role, **description, **duration})
    if boundary := change.changed_values("PermissionsBoundary"):
        aws.call("iam", "PutRolePermissionsBoundary", {**role, **boundary})
    elif "PermissionsBoundary" in change.changed:
        aws.call("iam", "DeleteRolePermissionsBoundary", role)


def _put_role_policy(request: Request, aws: Aws) -> str:
    aws.call("iam", "PutRolePolicy", request)
    return f"{request['RoleName']}:{request['PolicyName']}"


def _role_policy_parameters(identity: Identity) -> Request:
    """Return the parameters that identify an inline policy. Its id is `role:policy`."""
    role, _, policy = identity.id.partition(":")
    return {"RoleName": role, "PolicyName": policy}


def _read_role_policy(identity: Identity, aws: Aws) -> Snapshot:
    return Snapshot(aws.call("iam", "GetRolePolicy", _role_policy_parameters(identity)))


ROWS: Rows = {
    # terraform-provider-aws, internal/service/iam/role.go: ForceNew on name and path. IAM does not
    # delete a role that has policies, and its error is DeleteConflict.
    "aws:iam/role:Role": Row(
        inputs={
            "name": "RoleName",
            "assumeRolePolicy": ("AssumeRolePolicyDocument", DOCUMENT),
            "description": "Description",
            "path": "Path",
            "permissionsBoundary": "PermissionsBoundary",
            "maxSessionDuration": "MaxSessionDuration",
            "tags": ("Tags", TAGS),
        },
        name_rule=naming.ROLE,
        defaults={"path": "/", "maxSessionDuration": 3600},
        regional=False,
        create=_create_role,
        read=_read_role,
        not_found_codes=NOT_FOUND_CODES,
        computed_outputs=frozenset({"arn", "createDate", "uniqueId"}),
        update=_update_role,
        replacing_inputs=frozenset({"name", "path"}),
        tagging=Tagging("iam", "RoleName", tag_operation="TagRole", untag_operation="UntagRole"),
        delete=delete_by_id("iam", "DeleteRole", "RoleName"),
    ),
    # internal/service/iam/role_policy.go: ForceNew on name and role.
    "aws:iam/rolePolicy:RolePolicy": Row(
        inputs={
            "name": "PolicyName",
            "role": "RoleName",
            "policy": ("PolicyDocument", DOCUMENT),
        },
        name_rule=naming.ROLE_POLICY,
        regional=False,
        create=_put_role_policy,
        read=_read_role_policy,
        not_found_codes=NOT_FOUND_CODES,
        update=lambda change, aws: _put_role_policy(change.request, aws),
        replacing_inputs=frozenset({"name", "role"}),
        delete=lambda identity, aws, _limit: aws.call(
            "iam", "DeleteRolePolicy", _role_policy_parameters(identity)
        ),
    ),
}
