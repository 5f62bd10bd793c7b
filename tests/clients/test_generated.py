"""Clients that generators make of the OpenAPI document do the main job against a real server (docs/adr/0181).

The generators are not installed with the product: set CLIENT_GENERATORS to a folder that has them
(docs/api-conventions.md, generated clients); without it these tests are skipped.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stellapromote.api.rendering import dumps
from stellapromote.api.schema import openapi
from tests.promotions.api.world import World, make_world
from tests.promotions.formats.samples import ARTIFACT, trivy, trivy_entry

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
GENERATORS = Path(os.environ.get("CLIENT_GENERATORS", "/nonexistent"))
PYTHON = GENERATORS / "bin/python"
PYTHON_CLIENT = GENERATORS / "bin/openapi-python-client"
OPENAPI_TS = GENERATORS / "node_modules/.bin/openapi-ts"
TSC = GENERATORS / "node_modules/.bin/tsc"

DONE = {
    "statuses": {"dev": "deployed", "staging": "deployed", "production": "deployed"},
    "uploaded": ["vulnerabilities", 1, "trivy"],
    "score": 25,
    "freeze": ["Nobody is there", "It was called off"],
    "page": [2, 3, True],
    "verdict": "allow",
    "gates": ["preconditions", "freeze-window", "approval"],
    "releases": ["2026.48.1"],
    "refused": "PERM_DENIED",
}


@pytest.fixture
def world(live_server_url: str) -> World:
    return make_world()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("contract") / "openapi.json"
    path.write_bytes(dumps(openapi("stellapromote.urls")))
    return path


def needs(*programs: Path) -> pytest.MarkDecorator:
    missing = [program.name for program in programs if not program.exists()]
    return pytest.mark.skipif(bool(missing), reason=f"CLIENT_GENERATORS has no {', '.join(missing)}")


def run(*command: object, cwd: Path = HERE, said: Any = None) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, input=json.dumps(said), capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def given(world: World) -> dict[str, Any]:
    tokens = {name: each.token for name, each in world.people.items()}
    return {"tokens": tokens, "artifact": ARTIFACT, "trivy": trivy(trivy_entry())}


@needs(PYTHON, PYTHON_CLIENT)
def test_by_openapi_python_client(world: World, live_server_url: str, document: Path, tmp_path: Path) -> None:
    client = tmp_path / "stella_client"
    said = run(PYTHON_CLIENT, "generate", "--meta", "none", "--path", document, "--output-path", client)
    assert "will not be generated" not in said
    assert "Unable to" not in said
    run(PYTHON, "-m", "compileall", "-q", client)
    assert json.loads(run(PYTHON, HERE / "drive.py", tmp_path, live_server_url, said=given(world))) == DONE


@needs(OPENAPI_TS, TSC)
def test_by_openapi_ts(world: World, live_server_url: str, document: Path, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(GENERATORS / "node_modules")
    run(OPENAPI_TS, "--input", document, "--output", tmp_path / "client", "--silent")
    (tmp_path / "drive.ts").write_text((HERE / "drive.ts").read_text())
    options = "--strict --target es2022 --lib es2022,dom,dom.iterable --types node --module preserve --skipLibCheck"
    run(TSC, *options.split(), "--noEmit", "drive.ts", cwd=tmp_path)
    run(TSC, *options.replace("preserve", "commonjs").split(), "--outDir", "js", "drive.ts", cwd=tmp_path)
    assert json.loads(run("node", tmp_path / "js/drive.js", live_server_url, said=given(world))) == DONE
