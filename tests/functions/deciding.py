"""Plans for a world and a request, and what several kinds of test plan with."""

from functions.planning.decide import decide
from tests.functions.samples import (
    DATASET,
    FIELDS,
    ITEMS,
    JOB_NAME,
    OTHER_SOLUTION,
    PREFIX,
    RUN_ID,
    SOLUTION,
    VERSION_NAME,
    ago,
    dataset_resource,
    dataset_settings,
    export,
    run,
    settings,
    solution_resource,
    solution_settings,
    version,
    world,
)

ATTEMPT_2 = {"jobName": f"{JOB_NAME[:-1]}2", "versionName": f"{VERSION_NAME[:-1]}2"}
RESUME = {"resume": RUN_ID}
WITHOUT_IMPORT = {"skipImport": True}
WAITING = version(
    name=f"{PREFIX}-20261122T030000Z-0b519087-1", status="ACTIVE", creationDateTime=ago(47)
)


def decided(request=None, *, settings_=None, **changes):
    return decide(settings_ or settings(), run(request), world(**changes))


def planned_solution(request=None, *, solution=None, **changes):
    settings_ = settings(solutions=[solution or solution_settings()])
    (planned,) = decided(request, settings_=settings_, **changes)["solutions"]
    return planned


def named(*versions):
    return {each["name"]: each for each in versions}


ITEM_FIELDS = [{"name": "ITEM_ID", "type": "string"}]


def two_datasets():
    return {
        "datasets": {DATASET: dataset_resource(), ITEMS: dataset_resource(datasetArn=ITEMS)},
        "schemas": {DATASET: FIELDS, ITEMS: ITEM_FIELDS},
        "exports": {DATASET: export(), ITEMS: export()},
    }


def two_of_each():
    return {
        "settings_": settings(
            datasets=[dataset_settings(), dataset_settings(type="items", datasetArn=ITEMS)],
            solutions=[
                solution_settings(),
                solution_settings(solutionArn=OTHER_SOLUTION, campaigns=[]),
            ],
        ),
        **two_datasets(),
        "import_jobs": {DATASET: [], ITEMS: []},
        "solutions": {
            arn: solution_resource(solutionArn=arn) for arn in (SOLUTION, OTHER_SOLUTION)
        },
        "versions": {SOLUTION: [], OTHER_SOLUTION: []},
    }
