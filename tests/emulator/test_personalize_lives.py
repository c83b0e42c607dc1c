"""Proves what Describe shows of resources during their creation, updates, faults and deletion.

`golden/personalize_lives.txt` has stories. A story begins with `#` and its sentence, perhaps with
switches. Each step is one line, and below it are all changes that Describe now shows, or the
error. A step is an operation with its request, `wait` with seconds, `file` with a number
of interactions, `fault`, or `show` with a resource. `at` is the time of the last update, in seconds
since the beginning. Each story begins with a group, 1,000 interactions, a solution with the
versions `<v1>` and `<v2>`, and a campaign that serves `<v1>`.
"""

import json
import re

from personalize_world import CALLER, World, long, numbered_interactions, short
from ruamel.yaml import YAML

from emulator.personalize import ApiError, Switches
from emulator.personalize.resources import Resource, SolutionVersion

TIMES = ("creationDateTime", "lastUpdatedDateTime")


class Life:
    """The world of a story, and what its resources showed last."""

    def __init__(self, **switches):
        self.world = World(switches=Switches(**switches))
        solution = self.world.create_trainable_solution()
        first = self.world.train(solution)
        self.world.train(solution)
        self.world.create_campaign(first)
        self.start = self.world.now
        self.versions = {}
        self.shown = {}
        self.changes()

    def text(self, value):
        """Return a value as the golden file has it."""
        is_text = isinstance(value, str)
        return short(value if is_text else json.dumps(value, ensure_ascii=False), self.versions)

    def flat(self, document, path=""):
        """Return the fields of a document, those inside others by their path."""
        fields = {}
        for name, value in document.items():
            if isinstance(value, dict) and value and name != "campaignConfig":
                fields |= self.flat(value, f"{path}{name}.")
            elif name == "status":
                seconds = (document["lastUpdatedDateTime"] - self.start).total_seconds()
                fields[f"{path}status"] = f"{value} at {seconds:g}"
            elif name not in TIMES:
                fields[f"{path}{name}"] = self.text(value)

        return fields

    def changes(self):
        """Return a line for each resource that shows something new."""
        resources = self.world.personalize.resources(Resource, CALLER)
        for arn, resource in resources.items():
            if isinstance(resource, SolutionVersion) and arn not in self.versions.values():
                self.versions[f"v{len(self.versions) + 1}"] = arn
        now = {}
        for arn, resource in resources.items():
            operation = f"Describe{resource.noun()}"
            request = {resource.arn_field(): arn}
            described = self.world.personalize.call(operation, request, CALLER)
            now[self.text(arn)[1:-1]] = self.flat(described[resource.response_field()])

        lines = [f"{name} is gone" for name in self.shown if name not in now]
        for name, fields in now.items():
            before = self.shown.get(name)
            changed = {
                field: fields.get(field, "gone")
                for field in (sorted({*before, *fields}) if before else ["status"])
                if not before or before.get(field) != fields.get(field)
                if not field.startswith("latestSolutionVersion")  # the version has a line
            }
            if changed and not name.startswith("schema/"):
                lines.append(f"{name}: {listed_fields(changed)}")
        self.shown = now
        return lines

    def step(self, line):
        """Make a step, and return the lines below it."""
        word, _, text = line.partition(" ")
        argument = YAML(typ="safe").load(long(text, self.versions) or "{}")
        try:
            result = self.make(word, argument)
        except ApiError as error:
            result = [self.text(f"{error.code}: {error.message}")]
        return [*result, *self.changes()]

    def make(self, word, argument):
        """Make a step, and return the lines about it."""
        if word == "wait":
            lines = []
            for seconds in str(argument).split():
                self.world.wait(float(seconds))
                lines += self.changes()
            return lines
        if word == "file":
            self.world.put("interactions.csv", numbered_interactions(argument))
        elif word == "fault":
            self.world.personalize.faults.inject(argument)
        elif word == "show":
            return [listed_fields(self.shown[self.text(argument)[1:-1]])]
        else:
            response = self.world.personalize.call(word, argument, CALLER)
            if word.startswith("List"):
                (items,) = response.values()
                return [", ".join(self.text(shown_item(item)) for item in items) or "nothing"]

        return []


def shown_item(item):
    """Return what a list shows of an item: its ARN, or itself if it is a tag."""
    return next((item[name] for name in item if re.fullmatch(r"\w+Arn", name)), item)


def listed_fields(fields):
    """Return fields as a text, in which an update of a campaign or a solution is `update`."""
    text = ", ".join(f"{name} {value}" for name, value in fields.items())
    text = re.sub(r"latest(Campaign|Solution)Update\.", "update ", text)
    return re.sub(r"latestSolutionVersion\.", "latest ", text).replace("status ", "")


def test_each_story_of_the_golden_file_is_as_it_was(golden):
    lives = []

    def begin(title):
        switches = re.search(r"\{.*\}$", title)
        lives.append(Life(**YAML(typ="safe").load(switches[0] if switches else "{}")))

    def answer(line):
        return lives[-1].step(line)

    golden.answers("personalize_lives.txt", answer, width=100, begin=begin)
