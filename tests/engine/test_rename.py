"""Proves that a renamed component keeps its resources if an alias has the old name."""

CONSTRUCTION = "RetrainingPipeline(stacks.pipeline_name(pulumi.get_stack()), settings.load())"
RENAMED = """RetrainingPipeline(
    "films", settings.load(), pulumi.ResourceOptions(aliases=[pulumi.Alias(name="retraining-dev")])
)"""


def test_an_alias_keeps_every_resource_of_a_renamed_component(stack):
    resources = stack.up().steps.keys()
    main = stack.folder / "__main__.py"
    text = main.read_text()
    assert text.count(CONSTRUCTION) == 1, "the program constructs one component"
    main.write_text(text.replace(CONSTRUCTION, RENAMED))
    renamed = stack.up().steps
    assert {name.replace("films", "retraining-dev") for name in renamed} == resources
    assert set(renamed.values()) == {"same", "updated"}, "only the pipeline's tag is updated"
    assert stack.up().changes == {}
