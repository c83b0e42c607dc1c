"""The account to try: clients that mark whatever they create, and note how they are answered.

Everything that a trial creates has a name that begins with the trial's own. Where AWS allows it, it
also has TAG with this name as its value. The rest is on the trial's list, a file that is written
before AWS gets the request. So whatever happens to the process, `cleanup.py` can tell what belongs
to a trial from what only looks like it.
"""

import contextlib
import logging
import secrets
import time
from pathlib import Path

import boto3

PREFIX = "retraining-proof-"
"""The beginning of the names of all trials. A pipeline is called `retraining-` and its stack."""
TAG = "proof-of-retraining"
"""Keys that begin with `retraining-` belong to the pipeline, which refuses others of this kind."""
FOLDER = Path.home() / ".local" / "state" / "personalize-retraining" / "aws"
"""The folder for the folders of trials, which outlives a process that is killed."""
LIST = "list"
"""The file in the folder of a trial with the resources that get no tag."""
ENDED = ("ACTIVE", "COMPLETED", "FAILED", "STOPPED", "Exception")
"""How the status of a resource ends that does not change by itself any more."""
POLL_SECONDS = 15
POLLS_PER_DAY = 24 * 3600 // POLL_SECONDS
say = logging.getLogger(__name__).info
"""Says what goes on. Unlike `print`, it does not fail if the terminal was closed."""
EMULATED = ("personalize", "personalize-runtime", "stepfunctions")
"""The services whose answers are noted: those that our emulator does not leave to MiniStack."""


class Account:
    """An account and a region, seen by one trial."""

    def __init__(self, region, folder, *, sleep=time.sleep):
        self.region = region
        self.sleep = sleep
        self.trial = f"{PREFIX}{secrets.token_hex(4)}"
        self.kept = []
        """What AWS keeps for some time, in words."""
        self._noted = None
        self._session = boto3.Session(region_name=region)
        self._session.events.register("provide-client-params", self._mark)
        self._session.events.register("after-call", self._note)
        self._clients = {}
        self.number = self.client("sts").get_caller_identity()["Account"]
        self.folder = folder / f"{self.number}-{region}-{self.trial}"
        """The folder of the trial, with its list and its stack."""

    def client(self, service):
        """Return the trial's client of a service."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]

    def find_files(self, pattern):
        """Return the files and folders of all trials in this account and region that match."""
        return self.folder.parent.glob(self.folder.name.replace(self.trial, pattern))

    def list(self, kind, name):
        """Write a resource that gets no tag on the list. `*` stands for any end of its name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LIST).open("a") as file:
            file.write(f"{kind} {name}\n")

    @contextlib.contextmanager
    def noting(self, noted):
        """Note the fields, statuses and errors in the responses of EMULATED inside the block.

        Each becomes a line of the set, with the operation in front.
        """
        self._noted = noted
        try:
            yield
        finally:
            self._noted = None

    def poll(self):
        """Yield each time when it makes sense to ask again. Raises TimeoutError after a day."""
        for _ in range(POLLS_PER_DAY):
            yield
            self.sleep(POLL_SECONDS)
        raise TimeoutError("nothing has changed for a day")

    def _mark(self, params, model, **_):
        """Add the tag to a request that creates something, or write the resource on the list."""
        if not model.name.startswith("Create"):
            return

        members = model.input_shape.members
        field = next((name for name in ("tags", "Tags") if name in members), None)
        if field is None:
            self.list(model.name.removeprefix("Create"), _find_name(params))
            return

        key, value = members[field].member.members
        params[field] = [{key: TAG, value: self.trial}]

    def _note(self, parsed, model, **_):
        """Note the fields, the statuses and the error of a response."""
        service = model.service_model.service_name
        if self._noted is None or service not in EMULATED:
            return

        if "Error" in parsed:
            self._noted.add(f"{model.name} error {parsed['Error']['Code']}")
        fields = {key: value for key, value in parsed.items() if key not in NOT_FIELDS}
        self._noted.update(f"{model.name} {line}" for line in _list_fields(fields))


NOT_FIELDS = ("Error", "ResponseMetadata", "message", "Message", "nextToken")
"""What every response may contain. Whether there is another page depends on the account."""


def _find_name(params):
    """Return the name in a request, whose field differs between the services."""
    return next(params[field] for field in ("name", "Name", "Bucket") if field in params)


def _list_fields(value, path=""):
    """Yield the path of each field in a response. That of a last status is followed by its value.

    Other statuses are left out, because it depends on the time which of them are seen.
    """
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _list_fields(part, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for part in value:
            yield from _list_fields(part, f"{path}[]")
    elif not path.endswith("status"):
        yield path
    elif value.endswith(ENDED):
        yield f"{path} {value}"
