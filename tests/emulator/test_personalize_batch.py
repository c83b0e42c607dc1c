"""Proves what batch jobs and filters write and leave, with the sample data.

`golden/personalize_batch.txt` has a recipe, the files of a folder and perhaps more of the request
in one line. Below it are the lines of the output, or why the job failed. Scores are `[...]`.
"""

import json
import re

import pytest
from botocore.exceptions import ClientError
from personalize_world import ARN, BATCH, CALLER, World, recipe_arn

from emulator.personalize import ApiError
from tests.sample_data import sample_data

ITEMS = sample_data().newer["ITEMS"].decode()
GENRES = dict(line.split(",")[::2][:2] for line in ITEMS.splitlines())
FILTERS = {
    "unseen": 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")',
    "seen": 'INCLUDE ItemID WHERE INTERACTIONS.event_type IN ("Watch")',
    "bought": 'INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("buy")',
    "genre": "INCLUDE itemId where Items.GENRE in ($GENRE)",
    "not-genre": "EXCLUDE ItemID WHERE Items.genre IN ( $GENRE )",
    "fixed": 'EXCLUDE ItemID WHERE Items.GENRE IN ("Comedy" , "Crime")',
    "crime-or-genre": (
        'INCLUDE ItemID WHERE Items.GENRE IN ("Crime") | EXCLUDE ItemID WHERE'
        " Interactions.EVENT_TYPE IN ($TYPE) | include ItemID where Items.GENRE IN ($GENRE)"
    ),
    "premium": 'INCLUDE UserID WHERE Users.PLAN IN ("premium")',
}


class Films(World):
    """A world with the sample data, and a version of any recipe.

    The horror films have two genres, and one column is not in capitals.
    """

    def __init__(self):
        super().__init__()
        self.group = self.create_group()
        self.versions = {}
        self.number = 0
        for name in ("INTERACTIONS", "ITEMS", "USERS"):
            avro = sample_data().schemas[name].replace("PLAN", "Plan")
            data = sample_data().newer[name].replace(b"PLAN", b"Plan")
            self.put(f"{name}.csv", data.replace(b",Horror,", b",Horror|Cult,"))
            self.import_file(self.create_dataset(self.group, name, avro=avro), name, f"{name}.csv")

        for name, expression in FILTERS.items():
            self.client.create_filter(
                name=name, datasetGroupArn=self.group, filterExpression=expression
            )
        self.wait()

    def version(self, recipe):
        """Return a version of a recipe. Train it at the first call."""
        if recipe not in self.versions:
            solution = self.create_solution(self.group, recipe, recipe_arn(recipe))
            self.versions[recipe] = self.train(solution)
        return self.versions[recipe]

    def request(self, recipe, path="s3://exports/in/", **fields):
        """Return the request for a batch job."""
        self.number += 1
        if "filterArn" in fields:
            fields["filterArn"] = f"{ARN}filter/{fields['filterArn']}"
        return {
            **BATCH,
            "jobName": f"job-{self.number}",
            "solutionVersionArn": self.version(recipe),
            "jobInput": {"s3DataSource": {"path": path}},
            "numResults": 2,
            **fields,
        }

    def run(self, recipe, files, **fields):
        """Run a batch job, and return the lines of its output files, or why it failed."""
        for key in [key for key in self.files if key[1].startswith(("in", "out"))]:
            del self.files[key]
        for name, lines in files.items():
            texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
            self.put(f"in{name}", "\n".join(texts).encode())
        noun = "Segment" if "affinity" in recipe else "Inference"
        request = self.request(recipe, **fields)
        [arn] = self.personalize.call(f"CreateBatch{noun}Job", request, CALLER).values()
        self.wait()
        field = f"batch{noun}Job"
        described = self.personalize.call(f"DescribeBatch{noun}Job", {f"{field}Arn": arn}, CALLER)
        written = [
            f"{key.removeprefix('out/')} {line}"
            for (_, key), content in self.files.items()
            if key.startswith("out")
            for line in content.decode().splitlines()
        ]
        if described[field]["status"] == "ACTIVE":
            return written
        assert (described[field]["status"], written) == ("CREATE FAILED", [])

        return [described[field]["failureReason"]]

    def items(self, **fields):
        """Return the items of GetRecommendations with a filter."""
        if "live" not in self.versions:
            self.versions["live"] = self.create_campaign(self.version("user-personalization"))
        if "filterArn" in fields:
            fields["filterArn"] = f"{ARN}filter/{fields['filterArn']}"
        response = self.runtime.get_recommendations(
            campaignArn=self.versions["live"], userId="user-007", **fields
        )
        return [item["itemId"] for item in response["itemList"]]


@pytest.fixture(scope="module")
def films():
    return Films()


def test_each_batch_job_of_the_golden_file_writes_its_lines_or_has_a_reason(films, golden):
    def answer(line):
        recipe, _, rest = line.partition(" ")
        files, end = json.JSONDecoder().raw_decode(rest)
        try:
            lines = films.run(recipe, files, **json.loads(rest[end:] or "{}"))
        except ApiError as error:
            lines = [f"{error.code}: {error.message}"]
        return [re.sub(r"\[0\.\d+(,0\.\d+)*\]", "[...]", text) for text in lines]

    golden.answers("personalize_batch.txt", answer)


def test_a_filter_of_a_campaign_includes_or_excludes_items(films):
    plain = films.items()
    drama = films.items(filterArn="genre", filterValues={"GENRE": '"Drama"'})
    assert {GENRES[item] for item in drama} == {"Drama"}

    among_first = [item for item in plain if GENRES[item] == "Drama"]
    assert len(drama) > len(among_first), "the filter comes before the number of results"
    without = films.items(filterArn="not-genre", filterValues={"GENRE": '"Drama", "Comedy"'})
    assert not {"Drama", "Comedy"} & {GENRES[item] for item in without}
    assert films.items(filterArn="not-genre") == plain, "an EXCLUDE filter without its value"
    assert not {"Comedy", "Crime"} & {GENRES[item] for item in films.items(filterArn="fixed")}


def test_expressions_between_pipes_exclude_from_the_union_of_what_they_include(films):
    def items(**values):
        return films.items(filterArn="crime-or-genre", filterValues=values, numResults=500)

    dramas = items(GENRE='"Drama"')
    assert {GENRES[item] for item in dramas} == {"Crime", "Drama"}, "$TYPE of EXCLUDE is not set"
    assert items(GENRE='"Drama"', TYPE='"none"') == dramas
    seen = films.items(filterArn="seen", numResults=500)
    assert items(GENRE='"Drama"', TYPE='"Watch"') == [item for item in dramas if item not in seen]
    with pytest.raises(ClientError, match="filterValues must have GENRE with each value"):
        items(TYPE='"Watch"')


def test_a_pipe_in_a_value_separates_no_expressions(films):
    expression = 'INCLUDE ItemID WHERE Items.GENRE IN ("Horror|Cult", "Drama")'
    request = {"name": "pipe", "datasetGroupArn": films.group}
    films.client.create_filter(filterExpression=expression, **request)
    films.wait()
    assert {GENRES[item] for item in films.items(filterArn="pipe")} == {"Drama"}
