"""The AWS provider that the Pulumi engine uses with the emulator.

The engine's client of providers shows what each response must hold: pulumi/pulumi, sdk/go/common/
resource/plugin/provider_plugin.go. This provider does not accept secrets. The engine therefore
sends the plain values of secrets, and itself marks the values in the responses as secret.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]  # brings no types
from pulumi.runtime.proto import plugin_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from emulator.deployer import lifecycle
from emulator.deployer.aws import Aws, read_health
from emulator.deployer.errors import DeploymentError
from emulator.deployer.inputs import check_inputs, compare_inputs
from emulator.deployer.provider_settings import check_settings, find_endpoint, read_default_tags
from emulator.deployer.resources import ROWS
from emulator.deployer.wire import from_struct, to_struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.rows import Row

VERSION = version("pulumi-aws")
"""The version of the real provider that this provider replaces."""
NO_REGION = "missing region information; run 'pulumi config set aws:region eu-west-1'"
GET_ACCOUNT = "aws:index/getCallerIdentity:getCallerIdentity"
GET_REGION = "aws:index/getRegion:getRegion"
UNSUPPORTED = "is not supported by the emulator's provider"


class Provider:
    """One AWS provider of a program, for example the default provider.

    The capitalised methods are those of Pulumi's protocol ResourceProvider. They are called in
    several threads, and raise DeploymentError.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._default_tags: Mapping[str, str] = {}
        self._aws: Aws

    def GetPluginInfo(self, _request: Empty) -> plugin_pb2.PluginInfo:
        """Name the version, which the engine compares with the one that the program needs."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def DiffConfig(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Compare the settings. Another region replaces the provider's resources."""
        old = from_struct(request.old_inputs)
        new = from_struct(request.news)
        response = pb.DiffResponse(changes=_changes(is_different=old != new))
        if old.get("region") != new.get("region"):
            response.replaces.append("region")
        return response

    def Configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """Keep the settings for the other methods.

        Fail if there is no emulator or no region, and if a setting is not supported.
        """
        endpoint = find_endpoint(self._environment)
        account = read_health(endpoint)["account"]
        settings = from_struct(request.args)
        check_settings(settings, account)

        self._default_tags = read_default_tags(settings)
        self._aws = Aws(endpoint, account, self._find_region(settings))
        return pb.ConfigureResponse(supportsPreview=True)

    def _find_region(self, settings: Mapping[str, object]) -> str:
        """Find the region. The setting wins over the environment."""
        region = (
            settings.get("region")
            or self._environment.get("AWS_REGION")
            or self._environment.get("AWS_DEFAULT_REGION")
        )
        if not region:
            raise DeploymentError(NO_REGION)
        return str(region)

    def Check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Complete the inputs of a resource, and report a failure for each refused value."""
        inputs, refused = check_inputs(
            _find_row(request.type),
            from_struct(request.news),
            self._default_tags,
            logical_name=request.name,
            seed=request.randomSeed or request.urn.encode(),
            old_inputs=from_struct(request.olds),
        )

        return pb.CheckResponse(
            inputs=to_struct(inputs),
            failures=[
                pb.CheckFailure(property=name, reason=reason) for name, reason in refused.items()
            ],
        )

    def Diff(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """List the inputs that an update would change, and those that need a new resource."""
        old = from_struct(request.old_inputs)
        new = from_struct(request.news)
        diff = compare_inputs(_find_row(request.type), old, new)
        return pb.DiffResponse(
            changes=_changes(is_different=bool(diff.changed)),
            diffs=sorted(diff.changed),
            replaces=sorted(diff.replacing),
            deleteBeforeReplace=diff.delete_first,
        )

    def Create(self, request: pb.CreateRequest) -> pb.CreateResponse:
        """Create a resource and return its outputs. In a preview, return the planned outputs."""
        row = _find_row(request.type)
        inputs = from_struct(request.properties)
        if request.preview:
            outputs = lifecycle.plan_outputs(row, {}, {}, inputs)
            return pb.CreateResponse(properties=to_struct(outputs))

        resource = lifecycle.create(row, inputs, self._aws)
        return pb.CreateResponse(id=resource.id, properties=to_struct(resource.outputs))

    def Read(self, request: pb.ReadRequest) -> pb.ReadResponse:
        """Read a resource for a refresh. The response is empty if it does not exist any more."""
        row = _find_row(request.type)
        inputs = from_struct(request.inputs)
        if not inputs:
            raise DeploymentError(f"import and get() of {request.type} {UNSUPPORTED}")

        resource = lifecycle.read(row, request.id, inputs, self._default_tags, self._aws)
        if resource is None:
            return pb.ReadResponse()

        return pb.ReadResponse(
            id=resource.id,
            inputs=to_struct(resource.inputs),
            properties=to_struct(resource.outputs),
        )

    def Update(self, request: pb.UpdateRequest) -> pb.UpdateResponse:
        """Change a resource and return its outputs. In a preview, return the planned outputs."""
        row = _find_row(request.type)
        old = from_struct(request.old_inputs)
        new = from_struct(request.news)

        if request.preview:
            old_outputs = from_struct(request.olds)
            outputs = lifecycle.plan_outputs(row, old, old_outputs, new)
        else:
            outputs = lifecycle.update(row, request.id, old, new, self._aws)
        return pb.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: pb.DeleteRequest) -> Empty:
        """Delete a resource."""
        inputs = from_struct(request.old_inputs)
        lifecycle.delete(_find_row(request.type), request.id, inputs, self._aws)
        return Empty()

    def Invoke(self, request: pb.InvokeRequest) -> pb.InvokeResponse:
        """Call a function of the provider, such as `aws.get_region()` in the program."""
        results = {
            GET_ACCOUNT: {"accountId": self._aws.account},
            GET_REGION: {"region": self._aws.region},
        }
        arguments = sorted(from_struct(request.args))
        if request.tok not in results or arguments:
            raise DeploymentError(f"{' '.join([request.tok, *arguments])} {UNSUPPORTED}")

        # `return` is a keyword of Python, so it cannot be written as the name of an argument.
        return pb.InvokeResponse(**{"return": to_struct(results[request.tok])})


def _changes(*, is_different: bool) -> pb.DiffResponse.DiffChanges.ValueType:
    if is_different:
        return pb.DiffResponse.DIFF_SOME
    return pb.DiffResponse.DIFF_NONE


def _find_row(type_token: str) -> Row:
    """Find the row of a resource type. Raises DeploymentError if the table has none."""
    if type_token not in ROWS:
        raise DeploymentError(f"{type_token} {UNSUPPORTED}")
    return ROWS[type_token]
