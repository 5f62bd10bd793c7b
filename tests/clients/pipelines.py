"""The jobs of GitHub Actions and GitLab CI, run as these services run them: the shell of a YAML file, each job in a
checkout of its own, with the variables and secrets of the job's environment alone."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from tests.promotions.formats.samples import cyclonedx, trivy

RECIPES = settings.BASE_DIR / "clients" / "recipes"
TAG = "v1.4.0"
#: Rights of the two machines.
PIPELINE = ("release:read", "release:write", "promotion:read", "promotion:request", "promotion:deploy")
SCANNER = ("evidence:write",)
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
Values = dict[str, str]

DOCKER = """
import hashlib, json, sys
if sys.argv[1] == "login":
    sys.exit(sys.stdin.read().strip() != "registry-password")
options = dict(zip(sys.argv, sys.argv[1:]))
repository = options["--tag"].rpartition(":")[0]
built = f"image of {repository}" if "--provenance=false" in sys.argv else "index with the image and its provenance"
digest = "sha256:" + hashlib.sha256(built.encode()).hexdigest()
json.dump({"containerimage.digest": digest}, open(options["--metadata-file"], "w"))
"""
TRIVY = """
import hashlib, json, sys
options, repository = dict(zip(sys.argv, sys.argv[1:])), sys.argv[-1].rpartition("@")[0]
image = f"{repository}@sha256:" + hashlib.sha256(f"image of {repository}".encode()).hexdigest()
document = json.loads(REPORTS)[options["--format"]]
if "Results" in document:
    document["Metadata"] = {"RepoDigests": [image]}
json.dump(document, open(options["--output"], "w"))
"""


class Failed(Exception):
    """The job ended with another exit code than 0. Its text is what the job printed."""


@dataclass
class Site:
    """What is there beside the product: the repository of the tag, the machine's tools, the settings of the service.
    ``settings``: variables and secrets by the name of the service's environment, under "" those of every job."""

    directory: Path
    settings: dict[str, Values]
    logs: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        reports = json.dumps({"json": trivy(), "cyclonedx": cyclonedx()})
        self.tools = self.directory / "tools"
        self.tools.mkdir()
        for name, program in (("docker", DOCKER), ("trivy", f"REPORTS = {reports!r}\n{TRIVY}"), ("apk", "")):
            (self.tools / name).write_text(f"#!{sys.executable}\n{program}")
            (self.tools / name).chmod(0o755)
        self.deployed = self.directory / "deployed.txt"
        self.repository = self.directory / "repository"
        self.repository.mkdir()
        shutil.copy(RECIPES / "sign-scan", self.repository)
        (self.repository / "deploy.sh").write_text(f'#!/bin/sh\necho "$STELLA_RELEASE $1" >>"{self.deployed}"\n')
        (self.repository / "deploy.sh").chmod(0o755)

    def commit(self) -> None:
        for command in (
            ["git", "init", "--quiet", "--initial-branch=main"],
            ["git", "add", "."],
            ["git", "-c", "user.name=Ravi", "-c", "user.email=ravi@shop.example", "commit", "--quiet", "-m", "Shop"],
        ):
            subprocess.run(command, cwd=self.repository, check=True)

    def checkout(self, job: str) -> Path:
        place = self.directory / f"job-{job}"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.repository, place / "checkout")
        self.logs[job] = place / "log.txt"
        return place / "checkout"

    def shell(self, job: str, command: list[str], script: str, env: Values, path: list[str]) -> None:
        """The log of the job gets what the script prints. Failed where it ends with another exit code than 0."""
        checkout = self.logs[job].parent / "checkout"
        (checkout.parent / "script").write_text(script)
        with self.logs[job].open("a") as log:
            done = subprocess.run(
                [*command, str(checkout.parent / "script")],
                cwd=checkout,
                env={"PATH": os.pathsep.join([*path, str(self.tools), os.environ["PATH"]]), "LANG": "C.UTF-8", **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=120,
            )
        if done.returncode:
            raise Failed(self.logs[job].read_text())


@dataclass
class GitHub:
    """.github of the recipe, in a run that the tag began."""

    site: Site
    outputs: dict[str, dict[str, Values]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shutil.copytree(RECIPES / "github", self.site.repository, dirs_exist_ok=True)
        self.site.commit()
        self.workflow = read_yaml(RECIPES / "github/.github/workflows/promote.yml")

    @property
    def jobs(self) -> list[str]:
        return list(self.workflow["jobs"])

    def run(self, name: str) -> None:
        job = self.workflow["jobs"][name]
        checkout, files = self.site.checkout(name), {"GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"}
        context = {
            "vars": self.site.settings[""],
            "secrets": self.site.settings[job["environment"]],
            "github": {"actor": "ravi", "token": "registry-password"},
            "needs": {each: self.outputs[each] for each in listed(job.get("needs", []))},
            "steps": (steps := dict[str, Any]()),
        }
        env = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "77",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_JOB": name,
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_REF_NAME": TAG,
            "GITHUB_ACTOR": "ravi",
            "RUNNER_TEMP": str(checkout.parent / "temp"),
            "HOME": str(checkout.parent),
            **{each: str(checkout.parent / each) for each in files},
        }
        env |= evaluated(self.workflow["env"], context)
        for step in job["steps"]:
            if "run" in step:
                found = self._step(name, step["run"], env | evaluated(step.get("env", {}), context))
                steps[step.get("id", "")] = {"outputs": found}
            elif step["uses"].startswith("./"):
                action = read_yaml(checkout / step["uses"] / "action.yml")
                inputs = {"inputs": evaluated(step["with"], context)}
                for part in action["runs"]["steps"]:
                    self._step(name, part["run"], env | evaluated(part["env"], inputs))
        self.outputs[name] = {"outputs": evaluated(job.get("outputs", {}), context)}

    def _step(self, job: str, script: str, env: Values) -> Values:
        for each in ("GITHUB_OUTPUT", "GITHUB_PATH"):
            Path(env[each]).touch()
        Path(env["RUNNER_TEMP"]).mkdir(exist_ok=True)
        path = Path(env["GITHUB_PATH"]).read_text().splitlines()
        self.site.shell(job, BASH, script, env, path[::-1])
        return dict(line.split("=", 1) for line in Path(env["GITHUB_OUTPUT"]).read_text().splitlines())


@dataclass
class GitLab:
    """The template of the recipe, in a pipeline that the tag began."""

    site: Site
    reports: dict[str, Values] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.site.commit()
        self.template = read_yaml(RECIPES / "gitlab/stella.gitlab-ci.yml")

    @property
    def jobs(self) -> list[str]:
        named = [name for name in self.template if name.startswith("stella-")]
        return sorted(named, key=lambda name: self.template["stages"].index(self.template[name]["stage"]))

    def run(self, name: str) -> None:
        job = {**self.template[".stella"], **self.template[name]}
        checkout = self.site.checkout(name)
        env = {
            "GITLAB_CI": "true",
            "CI_JOB_ID": f"77-{name}",
            "CI_JOB_URL": "https://gitlab.example/acme/shop/-/jobs/77",
            "CI_COMMIT_TAG": TAG,
            "CI_COMMIT_REF_NAME": TAG,
            "GITLAB_USER_LOGIN": "ravi",
            "CI_REGISTRY": "ghcr.io",
            "CI_REGISTRY_IMAGE": "ghcr.io/acme/shop",
            "CI_REGISTRY_USER": "ravi",
            "CI_REGISTRY_PASSWORD": "registry-password",
            "HOME": str(checkout.parent),
        }
        for variables in (self.template["variables"], job.get("variables", {})):
            env |= {each: expanded(text, env) for each, text in variables.items()}
        for needed in job.get("needs", []):
            env |= self.reports[needed]
        env |= self.site.settings[""] | self.site.settings[job["environment"]["name"]]
        self.site.shell(name, ["sh", "-e"], "\n".join([*job["before_script"], *job["script"]]), env, [])
        report = job.get("artifacts", {}).get("reports", {}).get("dotenv")
        lines = (checkout / report).read_text().splitlines() if report else []
        self.reports[name] = dict(line.split("=", 1) for line in lines)


@dataclass
class Shell:
    """The scripts of the recipe, as a Jenkins agent runs them, one after the other in one checkout."""

    site: Site

    def __post_init__(self) -> None:
        shutil.copytree(RECIPES / "shell", self.site.repository, dirs_exist_ok=True)
        (self.site.tools / "stella").symlink_to(settings.BASE_DIR / "clients" / "stella")
        self.site.commit()
        self.place = self.site.checkout("shell").parent
        self.credentials = jenkins_stages()

    @property
    def jobs(self) -> list[str]:
        return list(self.credentials)

    def run(self, name: str) -> None:
        self.site.logs[name] = self.place / f"{name}.txt"
        env = {"PRODUCT": "main", "TARGET": "production", "RELEASE": TAG, "REASON": f"Tag {TAG}"}
        env |= {"BUILD_TAG": "jenkins-shop-77", "JENKINS_URL": "https://jenkins.example/"}
        identity = self.credentials[name]["STELLA_TOKEN"].removeprefix("stella-")
        given = self.site.settings[identity]
        env |= self.site.settings[""] | {each: given[each] for each in self.credentials[name]}
        self.site.shell(name, ["sh", "-e"], f"./{name}.sh", env, [])


def jenkins_stages() -> dict[str, Values]:
    """The scripts of the Jenkinsfile in their order, without `.sh`, each with the credentials that it gets."""
    text = (RECIPES / "jenkins/Jenkinsfile").read_text()
    return {
        re.findall(r"steps \{ sh '\./([\w-]+)\.sh' \}", stage)[0]: dict(
            re.findall(r"(\w+) = credentials\('([\w-]+)'\)", stage)
        )
        for stage in text.split("stage('")[1:]
    }


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def expanded(text: str, env: Values) -> str:
    return re.sub(r"\$(\w+)", lambda found: env[found[1]], text)


def evaluated(values: Mapping[str, str], context: Mapping[str, Any]) -> Values:
    """With the value of each ${{ name.of.it }}; KeyError for a name that is not there."""

    def value(found: re.Match[str]) -> str:
        at: Any = context
        for part in found[1].split("."):
            at = at[part]
        return str(at)

    return {name: re.sub(r"\$\{\{ ([\w.]+) \}\}", value, text) for name, text in values.items()}
