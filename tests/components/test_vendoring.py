"""The component inside a host program that has packages of the same names."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

HOST = """
import warnings

warnings.simplefilter("error")
warnings.filterwarnings("ignore", message="aws.lambda/microvmsimage", category=DeprecationWarning)

from recording import run

import components
from vendor.retraining.components import (
    DatasetArgs, DatasetsArgs, RetrainingPipeline, RetrainingPipelineArgs, SolutionArgs
)

PERSONALIZE = "arn:aws:personalize:eu-west-1:123456789012"

def program():
    RetrainingPipeline(
        components.NAME,
        RetrainingPipelineArgs(
            datasets=DatasetsArgs(
                interactions=DatasetArgs(
                    dataset_arn=f"{PERSONALIZE}:dataset/movies/INTERACTIONS",
                    data_location="s3://exports/interactions.csv",
                )
            ),
            solutions=[SolutionArgs(solution_arn=f"{PERSONALIZE}:solution/movies")],
        ),
    )

engine = run(program)
code = engine.one("aws:lambda/function:Function", "shop-probe-campaign").inputs["code"]
for key, asset in sorted(code.assets.items()):
    print(key, asset.path)
"""


def test_a_host_program_with_components_of_its_own_deploys_a_vendored_pipeline(tmp_path):
    vendored = tmp_path / "vendor" / "retraining"
    for package in ("components", "functions"):
        shutil.copytree(
            ROOT / package, vendored / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    (vendored / "functions" / "notes.txt").write_text("no code")
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "__init__.py").write_text('NAME = "shop"\n')
    (tmp_path / "functions.py").write_text("raise ImportError('the host\\'s own')\n")
    shutil.copy(Path(__file__).with_name("recording.py"), tmp_path)
    (tmp_path / "host.py").write_text(HOST)

    host = subprocess.run(  # our own interpreter and program
        [sys.executable, "-I", "-c", "import sys; sys.path.insert(0, '.'); import host"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (host.returncode, host.stderr) == (0, "")
    packed = dict(line.split() for line in host.stdout.splitlines())
    assert "functions/probe_campaign.py" in packed
    assert packed == {name: str(vendored / name) for name in packed}, (
        "the bundle holds the vendored functions under their own names"
    )
