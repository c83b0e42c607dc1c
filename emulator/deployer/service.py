"""Implements the gRPC service of a Pulumi provider for AWS resources in the emulator.

The engine's client shows what each response has to contain: pulumi/pulumi, sdk/go/common/resource/
plugin/provider_plugin.go. This provider doesn't announce that it accepts secrets, so the engine
sends their plain values and marks the values in responses as secret itself.
"""

from collections.abc import Mapping
from importlib.metadata import version

from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]  # brings no types
from pulumi.runtime.proto import plugin_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from emulator.deployer import lifecycle
from emulator.deployer.aws import Aws, fetch_health
from emulator.deployer.check import check_inputs
from emulator.deployer.diff import compare_inputs
from emulator.deployer.errors import DeploymentError
from emulator.deployer.provider_settings import check_settings, find_endpoint, read_default_tags
from emulator.deployer.resource_type import ResourceType
from emulator.deployer.resources import RESOURCE_TYPES
from emulator.deployer.wire import from_struct, to_struct

VERSION = version("pulumi-aws")
"""The version of the real provider, which this provider replaces."""
NO_REGION = "missing region information; run 'pulumi config set aws:region eu-west-1'"
GET_ACCOUNT = "aws:index/getCallerIdentity:getCallerIdentity"
GET_REGION = "aws:index/getRegion:getRegion"
DIFF_CHANGES = {False: pb.DiffResponse.DIFF_NONE, True: pb.DiffResponse.DIFF_SOME}
"""Whether there are any differences -> what a DiffResponse says about that."""
UNSUPPORTED = "is not supported by the emulator's provider"


class Provider:
    """An AWS provider of a program, for example the default provider.

    The capitalized methods implement Pulumi's gRPC service ResourceProvider. The engine calls them
    from several threads. For errors that users can cause, they raise DeploymentError.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._default_tags: Mapping[str, str] = {}
        self._aws: Aws

    def GetPluginInfo(self, _request: Empty) -> plugin_pb2.PluginInfo:
        """Return the version, which the engine compares with the one that the program requires."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def DiffConfig(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """Compare the provider's old and new settings. A new region replaces all its resources."""
        old_settings = from_struct(request.old_inputs)
        new_settings = from_struct(request.news)

        response = pb.DiffResponse(changes=DIFF_CHANGES[old_settings != new_settings])
        if old_settings.get("region") != new_settings.get("region"):
            response.replaces.append("region")
        return response

    def Configure(self, request: pb.ConfigureRequest) -> pb.ConfigureResponse:
        """Connect to the emulator and store the settings for all later calls.

        Raises:
            DeploymentError: no emulator responds, no region is set, or a setting isn't supported.
        """
        endpoint = find_endpoint(self._environment)
        account = fetch_health(endpoint)["account"]
        settings = from_struct(request.args)
        check_settings(settings, account)

        self._default_tags = read_default_tags(settings)
        self._aws = Aws(endpoint, account, self._find_region(settings))
        return pb.ConfigureResponse(supportsPreview=True)

    def _find_region(self, settings: Mapping[str, object]) -> str:
        """Return the region from the settings or else from the environment variables.

        Raises:
            DeploymentError: neither of them contains a region.
        """
        region = (
            settings.get("region")
            or self._environment.get("AWS_REGION")
            or self._environment.get("AWS_DEFAULT_REGION")
        )
        if not region:
            raise DeploymentError(NO_REGION)
        return str(region)

    def Check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Complete and validate a resource's inputs. Invalid inputs are listed as failures."""
        inputs, failures = check_inputs(
            _find_resource_type(request.type),
            from_struct(request.news),
            self._default_tags,
            logical_name=request.name,
            seed=request.randomSeed or request.urn.encode(),
            old_inputs=from_struct(request.olds),
        )

        return pb.CheckResponse(
            inputs=to_struct(inputs),
            failures=[
                pb.CheckFailure(property=name, reason=reason) for name, reason in failures.items()
            ],
        )

    def Diff(self, request: pb.DiffRequest) -> pb.DiffResponse:
        """List the inputs that have changed, and which of them force a replacement."""
        resource_type = _find_resource_type(request.type)
        old_inputs = from_struct(request.old_inputs)
        new_inputs = from_struct(request.news)
        diff = compare_inputs(resource_type, old_inputs, new_inputs)

        return pb.DiffResponse(
            changes=DIFF_CHANGES[bool(diff.changed)],
            diffs=sorted(diff.changed),
            replaces=sorted(diff.replacing),
            deleteBeforeReplace=diff.delete_before_replace,
        )

    def Create(self, request: pb.CreateRequest) -> pb.CreateResponse:
        """Create a resource or, in a preview, predict its outputs."""
        resource_type = _find_resource_type(request.type)
        inputs = from_struct(request.properties)
        if request.preview:
            outputs = lifecycle.plan_outputs(resource_type, {}, {}, inputs)
            return pb.CreateResponse(properties=to_struct(outputs))

        resource = lifecycle.create_resource(resource_type, inputs, self._aws)
        return pb.CreateResponse(id=resource.id, properties=to_struct(resource.outputs))

    def Read(self, request: pb.ReadRequest) -> pb.ReadResponse:
        """Read a resource's current state for a refresh.

        The response is empty if the resource no longer exists.
        """
        resource_type = _find_resource_type(request.type)
        inputs = from_struct(request.inputs)
        if not inputs:
            raise DeploymentError(f"import and get() of {request.type} {UNSUPPORTED}")

        resource = lifecycle.read_resource(
            resource_type, request.id, inputs, self._default_tags, self._aws
        )
        if resource is None:
            return pb.ReadResponse()

        return pb.ReadResponse(
            id=resource.id,
            inputs=to_struct(resource.inputs),
            properties=to_struct(resource.outputs),
        )

    def Update(self, request: pb.UpdateRequest) -> pb.UpdateResponse:
        """Update a resource in place or, in a preview, predict its new outputs."""
        resource_type = _find_resource_type(request.type)
        old_inputs = from_struct(request.old_inputs)
        new_inputs = from_struct(request.news)

        if request.preview:
            old_outputs = from_struct(request.olds)
            outputs = lifecycle.plan_outputs(resource_type, old_inputs, old_outputs, new_inputs)
        else:
            outputs = lifecycle.update_resource(
                resource_type, request.id, old_inputs, new_inputs, self._aws
            )
        return pb.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: pb.DeleteRequest) -> Empty:
        """Delete a resource. Do nothing if it no longer exists."""
        resource_type = _find_resource_type(request.type)
        inputs = from_struct(request.old_inputs)
        lifecycle.delete_resource(resource_type, request.id, inputs, self._aws)
        return Empty()

    def Invoke(self, request: pb.InvokeRequest) -> pb.InvokeResponse:
        """Return the result of a provider function, such as `aws.get_region()`."""
        results = {
            GET_ACCOUNT: {"accountId": self._aws.account},
            GET_REGION: {"region": self._aws.region},
        }
        arguments = sorted(from_struct(request.args))
        if request.tok not in results or arguments:
            raise DeploymentError(f"{' '.join([request.tok, *arguments])} {UNSUPPORTED}")

        # `return` is a Python keyword, so it can't be a literal keyword argument.
        return pb.InvokeResponse(**{"return": to_struct(results[request.tok])})


def _find_resource_type(type_token: str) -> ResourceType:
    """Look up a resource type by its token. Raise DeploymentError if it isn't supported."""
    if type_token not in RESOURCE_TYPES:
        raise DeploymentError(f"{type_token} {UNSUPPORTED}")
    return RESOURCE_TYPES[type_token]
