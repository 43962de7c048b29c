"""Where users work, tried with the real things: git, pre-commit, the action's own scripts, a server that answers."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pyrage
import pytest
import yaml

from conftest import ROOT, Result, clean_environment, kcompile, minimal, run, stored_schema, succeed, tool

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
WORKFLOW = ROOT / "docs/ci/github.yml"
GITLAB = yaml.safe_load((ROOT / "docs/ci/gitlab-ci.yml").read_text())["kcompile"]
SHELL = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/ci.md").read_text(), re.DOTALL | re.MULTILINE)
SPEC, TREE = "clusters/test.yaml", "out/test"
DESCRIPTIONS = [f"{TREE}/README.md", f"{TREE}/kcompile.json", f"{TREE}/kcompile.json.sig"]


@dataclass(frozen=True)
class Repository:
    """A git repository with a cluster of two pools and its tree, committed."""

    path: Path
    identity: str

    def environment(self, **more: str) -> dict[str, str]:
        who = {f"GIT_{role}_{what}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        git = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_EDITOR": "true"}
        return clean_environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", **who, **git, **more)

    def git(self, *words: str | Path, code: int = 0) -> str:
        return run(tool("git"), "-C", self.path, *words, code=code, env=self.environment())

    def check(self) -> Result:
        return kcompile("check", "clusters", cwd=self.path, identity=None)

    def build(self) -> None:
        succeed(kcompile("build", SPEC, cwd=self.path, identity=self.identity))

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        document = yaml.safe_load((self.path / SPEC).read_text())
        change(document["spec"])
        (self.path / SPEC).write_text(yaml.safe_dump(document, sort_keys=False))

    def commit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the spec, build, and commit both."""
        self.edit(change)
        self.build()
        self.git("add", "-A")
        self.git("commit", "-q", "-m", change.__name__)

    def branches(self, ours: Callable[[dict[str, Any]], None], theirs: Callable[[dict[str, Any]], None]) -> None:
        """A branch with each change, the one with ours checked out."""
        self.git("switch", "-q", "-c", "theirs")
        self.commit(theirs)
        self.git("switch", "-q", "-c", "ours", "main")
        self.commit(ours)

    def unmerged(self) -> list[str]:
        return self.git("diff", "--name-only", "--diff-filter=U").splitlines()

    def resolve(self, then: str = "git merge --continue") -> None:
        """What docs/ci.md says."""
        commands = SHELL[0].replace("prod", "test").replace("git merge --continue", then)
        run("bash", "-ec", commands, cwd=self.path, env=self.environment(SOPS_AGE_KEY=self.identity))

    def right(self) -> str:
        """What check says of a right tree."""
        files = self.git("ls-files", TREE).splitlines()
        sealed = [path for path in files if b"ENC[AES256_GCM" in (self.path / path).read_bytes()]
        return f"{TREE}: right, {len(files)} files, 13 certificates, the secrets in {len(sealed)} not compared\n"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    path = tmp_path_factory.mktemp("original")
    identity = pyrage.x25519.Identity.generate()
    repository = Repository(path, str(identity))
    (path / "clusters").mkdir()
    pools = [
        {"name": name, "nodes": [{"name": f"{name}-{n}", "address": f"10.0.{subnet}.{n}"} for n in (1, 2)]}
        for subnet, name in enumerate(("a", "b"), 1)
    ]
    token = {"id": "pool01", "expires": "2999-12-23T00:00:00Z"}
    spec = minimal(str(identity.to_public()), nodePools=pools, bootstrapTokens=[token])
    (path / SPEC).write_text(yaml.safe_dump(spec, sort_keys=False))
    succeed(kcompile("secrets", "create", SPEC, cwd=path))
    repository.build()
    shutil.copyfile(ROOT / "docs/ci/gitattributes", path / ".gitattributes")
    repository.git("init", "-q", "-b", "main")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "first")
    return repository


@pytest.fixture
def repository(original: Repository, tmp_path: Path) -> Repository:
    shutil.copytree(original.path, tmp_path / "repository", symlinks=True)
    return Repository(tmp_path / "repository", original.identity)


def node_a(spec: dict[str, Any]) -> None:
    spec["nodePools"][0]["nodes"].append({"name": "a-3", "address": "10.0.1.3"})


def node_b(spec: dict[str, Any]) -> None:
    spec["nodePools"][1]["nodes"].append({"name": "b-3", "address": "10.0.2.3"})


def replaced(spec: dict[str, Any]) -> None:
    spec["nodePools"][0]["nodes"][0] = {"name": "a-9", "address": "10.0.1.9"}


def reissued(spec: dict[str, Any]) -> None:
    spec["pki"]["issuedAt"] = "2026-11-24T00:00:00Z"


def max_pods(spec: dict[str, Any]) -> None:
    spec["kubelet"] = {"maxPods": 200}


# --- merges ---------------------------------------------------------------------------------------


def test_two_branches_that_both_add_a_node(repository: Repository) -> None:
    repository.branches(node_a, node_b)
    repository.git("merge", "-q", "theirs", code=1)
    conflicts = sorted([*DESCRIPTIONS, f"{TREE}/cluster/bootstrap.sh"])
    assert repository.unmerged() == conflicts
    for path in conflicts:
        assert (repository.path / path).read_bytes() == repository.git("show", f"ours:{path}").encode()
    half = repository.check()
    assert (half.code, half.err.splitlines()[0]) == (
        1,
        "out/test/kcompile.json:1:1: the tree was built from another test.yaml: "
        "1 file is not what would be built now [K1110]",
    )
    repository.resolve()
    assert (repository.check().out, repository.git("status", "--porcelain")) == (repository.right(), "")
    assert sorted(path.name for path in (repository.path / TREE / "hosts").iterdir()) == [
        *("a-1", "a-2", "a-3"),
        *("b-1", "b-2", "b-3"),
        "cp-1",
    ]
    assert len(repository.git("rev-list", "--parents", "-1", "HEAD").split()) == 3


def test_a_tree_committed_half_merged_is_found(repository: Repository) -> None:
    repository.branches(node_a, node_b)
    repository.git("merge", "-q", "theirs", code=1)
    repository.git("commit", "-q", "-a", "-m", "half")
    found = repository.check()
    assert (found.code, re.findall(r"^(\S+):1:1: .* \[(K\d+)\]$", found.err, re.MULTILINE)) == (
        1,
        [
            ("out/test/kcompile.json", "K1110"),
            ("out/test/hosts/b-3/sealed/etc/kubernetes/bootstrap-kubelet.conf", "K1112"),
            ("out/test/hosts/b-3/sealed/etc/kubernetes/join.sh", "K1112"),
            ("out/test/hosts/b-3/sealed/etc/kubernetes/kubeadm-join.yaml", "K1112"),
        ],
    )


def test_a_tree_with_markers_is_found_and_built(repository: Repository) -> None:
    """Where nobody has set the attributes."""
    repository.git("rm", "-q", ".gitattributes")
    repository.git("commit", "-q", "-m", "without")
    repository.branches(node_a, node_b)
    repository.git("merge", "-q", "theirs", code=1)
    assert "<<<<<<< HEAD" in (repository.path / TREE / "kcompile.json").read_text()
    found = repository.check()
    assert (found.code, found.err.splitlines()[0]) == (
        1,
        "out/test/kcompile.json:1:1: is no tree manifest of kcompile [K1114]",
    )
    repository.resolve()
    assert (repository.check().out, repository.git("status", "--porcelain")) == (repository.right(), "")


def test_a_host_renamed_on_one_side_and_changed_on_the_other(repository: Repository) -> None:
    """git takes a replaced host for a renamed one, and a build would not overwrite what it made of that."""
    repository.branches(reissued, replaced)
    repository.git("merge", "-q", "theirs", code=1)
    assert set(DESCRIPTIONS) < set(repository.unmerged())
    assert repository.check().code == 1
    refused = kcompile("build", SPEC, cwd=repository.path, identity=repository.identity)
    assert (refused.code, refused.err.count("[K1008]") > 0) == (4, True)
    repository.resolve()
    assert (repository.check().out, repository.git("status", "--porcelain")) == (repository.right(), "")


def test_a_rebase_stops_at_each_commit_and_goes_on(repository: Repository) -> None:
    repository.branches(node_a, reissued)
    repository.commit(max_pods)
    repository.git("rebase", "-q", "theirs", code=1)
    for _ in range(2):
        assert set(DESCRIPTIONS) <= set(repository.unmerged())
        assert repository.check().code == 1
        repository.resolve("git rebase --continue || true")  # the first one stops at the second
    assert not (repository.path / ".git/rebase-merge").exists()
    assert repository.git("log", "--format=%s", "theirs..HEAD").splitlines() == ["max_pods", "node_a"]
    for revision in ("HEAD~1", "HEAD"):
        repository.git("checkout", "-q", "--detach", revision)
        assert repository.check().out == repository.right()


def test_a_conflict_in_the_secrets_file(repository: Repository) -> None:
    def token(name: str) -> Callable[[dict[str, Any]], None]:
        def add(spec: dict[str, Any]) -> None:
            spec["bootstrapTokens"] += [{"id": name, "expires": "2999-12-23T00:00:00Z"}]

        return add

    for branch, name in (("theirs", "token2"), ("ours", "token3")):
        repository.git("switch", "-q", "-c", branch, "main")
        repository.edit(token(name))
        succeed(kcompile("secrets", "update", SPEC, cwd=repository.path, identity=repository.identity))
        repository.commit(lambda spec: None)
    repository.git("merge", "-q", "theirs", code=1)
    assert set(repository.unmerged()) >= {SPEC, "clusters/test.secrets.yaml"}
    repository.git("checkout", "--ours", SPEC)
    repository.edit(token("token2"))
    repository.git("add", SPEC)
    commands = SHELL[1].replace("prod", "test")
    run("bash", "-ec", commands, cwd=repository.path, env=repository.environment(SOPS_AGE_KEY=repository.identity))
    repository.resolve()
    assert (repository.check().out, repository.git("status", "--porcelain")) == (repository.right(), "")


def test_line_ends_stay_as_they_are(repository: Repository) -> None:
    def cloned(name: str) -> Repository:
        target = repository.path.parent / name
        repository.git("-c", "core.autocrlf=true", "clone", "-q", repository.path, target)
        return Repository(target, repository.identity)

    assert cloned("with").check().out == repository.right()
    repository.git("rm", "-q", ".gitattributes")
    repository.git("commit", "-q", "-m", "without")
    assert cloned("without").check().code == 1


USERS = {
    "clusters/prod.yaml": "text: unset",
    "clusters/prod.secrets.yaml": "text: unset, merge: unset",
    "out/prod/kcompile.json": "text: unset, merge: unset, linguist-generated: true, gitlab-generated: set",
    "out/prod/admin/admin.conf": (
        "text: unset, merge: unset, diff: unset, linguist-generated: true, gitlab-generated: set"
    ),
    "out/prod/hosts/cp-1/sealed/etc/kubernetes/pki/sa.key": (
        "text: unset, merge: unset, diff: unset, linguist-generated: true, gitlab-generated: set"
    ),
    "README.md": "",
}
OWN = {
    "clusters/prod.yaml": "text: unset",
    "out/prod/kcompile.json": "text: unset, merge: unset",
    "out/prod/admin/admin.conf": "text: unset, merge: unset, linguist-generated: true",
    "out/prod/cluster/sealed/x.yaml": "text: unset, merge: unset, linguist-generated: true",
    "out/prod/hosts/cp-1/sealed/etc/kubernetes/pki/sa.key": "text: unset, merge: unset, linguist-generated: true",
    "docs/errors/K0401.md": "text: unset, merge: unset, linguist-generated: true",
    "docs/ci.md": "text: unset",
}


@pytest.mark.parametrize(
    ("file", "wanted"), [("docs/ci/gitattributes", USERS), (".gitattributes", OWN)], ids=["users", "own"]
)
def test_attributes(file: str, wanted: Mapping[str, str], tmp_path: Path) -> None:
    run(tool("git"), "init", "-q", tmp_path)
    shutil.copyfile(ROOT / file, tmp_path / ".gitattributes")
    names = ("text", "merge", "diff", "linguist-generated", "gitlab-generated")
    found = {}
    for path in wanted:
        said = run(tool("git"), "-C", tmp_path, "check-attr", *names, "--", path).splitlines()
        found[path] = ", ".join(line.removeprefix(f"{path}: ") for line in said if not line.endswith(": unspecified"))
    assert found == wanted


# --- pre-commit -----------------------------------------------------------------------------------


def test_pre_commit_runs_the_hooks(repository: Repository, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    shutil.copytree(ROOT / "compiler", hooks / "compiler", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, hooks)
    source = Repository(hooks, "")
    source.git("init", "-q")
    source.git("add", "-A")
    source.git("commit", "-q", "-m", "hooks")
    config = yaml.safe_load((ROOT / "docs/ci/pre-commit-config.yaml").read_text())
    config["repos"][0] |= {"repo": str(hooks), "rev": source.git("rev-parse", "HEAD").strip()}
    (repository.path / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    repository.git("add", ".pre-commit-config.yaml")

    env = repository.environment(PRE_COMMIT_HOME=str(tmp_path / "home"), HOME=os.environ.get("HOME", "/root"))

    def hook_run(*words: str, code: int) -> list[tuple[str, str]]:
        words = ("pre-commit", "run", "--color", "never", *words)
        said = run(*words, code=code, cwd=repository.path, env=env)
        return re.findall(r"^kcompile (\w+)\.+(?:\(.*\))?(\w+)$", said, re.MULTILINE) + re.findall(r"\[(K\d+)\]", said)

    assert hook_run("--all-files", code=0) == [("validate", "Passed"), ("check", "Passed")]
    assert hook_run(code=0) == [("validate", "Skipped"), ("check", "Skipped")]

    repository.edit(node_a)
    repository.build()
    repository.git("add", "clusters")  # and not the tree, which is put aside
    assert hook_run(code=1) == [("validate", "Passed"), ("check", "Failed"), "K1110", "K1112", "K1112", "K1112"]
    repository.git("add", "out")
    assert hook_run(code=0) == [("validate", "Passed"), ("check", "Passed")]

    with (repository.path / TREE / "README.md").open("a") as file:
        file.write("x\n")
    repository.git("add", "out")
    assert hook_run(code=1) == [("validate", "Passed"), ("check", "Failed"), "K1104"]
    repository.edit(lambda spec: spec["controlPlane"].update(nodes=[]))
    repository.git("add", "clusters")
    assert [said for said in hook_run(code=1) if isinstance(said, tuple)] == [
        ("validate", "Failed"),
        ("check", "Failed"),
    ]


# --- the action -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("action.yml", "https://json.schemastore.org/github-action.json"),
        ("docs/ci/github.yml", "https://json.schemastore.org/github-workflow.json"),
        (
            "docs/ci/gitlab-ci.yml",
            "https://gitlab.com/gitlab-org/gitlab/-/raw/master/app/assets/javascripts/editor/schema/ci.json",
        ),
        ("docs/ci/pre-commit-config.yaml", "https://json.schemastore.org/pre-commit-config.json"),
    ],
)
def test_files_are_what_their_readers_take(file: str, schema: str) -> None:
    document = yaml.safe_load((ROOT / file).read_text())
    if isinstance(document, dict) and True in document:
        document["on"] = document.pop(True)  # YAML 1.1 takes the word for a boolean
    found = stored_schema(schema)
    jsonschema.validators.validator_for(found)(found).validate(document)


def scripts() -> dict[str, str]:
    found = {step["name"]: step["run"] for step in ACTION["runs"]["steps"]}
    return found | {"gitlab": "\n".join([*GITLAB["before_script"], *GITLAB["script"]])}


@pytest.mark.parametrize("name", scripts())
def test_scripts_are_clean(name: str) -> None:
    """And nothing from outside is text of theirs."""
    script = scripts()[name]
    assert "${{" not in script
    # SC2153: the environment's variables are not assigned
    run(tool("shellcheck"), "-s", "bash", "-e", "SC2153", "-", input="set -eo pipefail\n" + script)


def test_an_auditor_of_actions_finds_nothing(tmp_path: Path) -> None:
    """But that the example does not pin what it uses, which says so."""
    config = tmp_path / "zizmor.yml"
    config.write_text("rules: {unpinned-uses: {disable: true}}\n")
    run(tool("zizmor"), "--offline", "--quiet", "--config", config, ROOT / "action.yml", WORKFLOW)


@dataclass
class Server:
    """What answers like GitHub and GitLab for one pull request: comments, and who may write."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    may_write: bool = True
    requests: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    url: str = ""

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.requests.append(f"{method} {path}")
        place, _, query = path.partition("?")
        if place == "/user":
            return 200, {"id": 7}
        if method == "GET":
            page = int(re.findall(r"\bpage=(\d+)", query)[0])
            return 200, self.comments[(page - 1) * 100 : page * 100]
        if not self.may_write:
            return 403, {"message": "Resource not accessible by integration"}
        if method == "POST":
            self.comments.append(comment(len(self.comments) + 1, "github-actions[bot]", body["body"], 7))
            return 201, self.comments[-1]
        (found,) = (c for c in self.comments if c["id"] == int(place.rpartition("/")[2]))
        found["body"] = body["body"]
        return 200, found


def comment(number: int, login: str, body: str, author: int = 1) -> dict[str, Any]:
    return {"id": number, "user": {"login": login}, "author": {"id": author}, "body": body}


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            state.tokens.add(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN"))
            code, answer = state.answer(self.command, self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "PUT"):
        setattr(Handler, f"do_{method}", Handler.do)
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{listener.server_port}"
    yield state
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runner's directory after the action's first step."""
    directory = tmp_path_factory.mktemp("runner")
    env = clean_environment(RUNNER_TEMP=str(directory), GITHUB_ACTION_PATH=str(ROOT), PYTHON=sys.executable)
    run("bash", "-eo", "pipefail", "-c", scripts()["Install kcompile"], env=env | {"HOME": os.environ["HOME"]})
    return directory


@dataclass
class Runner:
    """What GitHub's runner does with a composite action, as far as this one needs it."""

    repository: Repository
    directory: Path
    url: str

    def run(
        self, event: str = "pull_request", commit: str = "HEAD", base: str = "main", **inputs: str
    ) -> tuple[int, str, dict[str, str], str]:
        """The exit status, the log, the outputs and the summary. ``commit`` is the event's."""
        context = {
            **{f"inputs.{name}": str(given.get("default", "")) for name, given in ACTION["inputs"].items()},
            **{f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()},
            "inputs.token": "ghs_abc",
            "github.event_name": event,
            "github.event.pull_request.base.sha": self.repository.git("rev-parse", base).strip()
            if event == "pull_request"
            else "",
            "github.event.pull_request.number": "5" if event == "pull_request" else "",
        }
        summary = self.directory / "summary"
        summary.write_text("")
        log = ""
        for step in ACTION["runs"]["steps"][1:]:
            if "if" in step and not self._holds(step["if"], context):
                continue
            output = self.directory / "output"
            output.write_text("")
            env = self.repository.environment(
                RUNNER_TEMP=str(self.directory),
                GITHUB_OUTPUT=str(output),
                GITHUB_STEP_SUMMARY=str(summary),
                GITHUB_API_URL=self.url,
                GITHUB_REPOSITORY="o/r",
                GITHUB_EVENT_NAME=event,
                GITHUB_SHA=self.repository.git("rev-parse", commit).strip(),
                **{name: self._value(text, context) for name, text in step["env"].items()},
            )
            script = self.directory / "step.sh"
            script.write_text(step["run"])
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
                cwd=self.repository.path,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                check=False,
            )
            log += re.sub(r"(?m)^::(stop-commands::)?[0-9a-f]{64}(::)?$", r"::\1LOCK\2", done.stdout)
            for line in output.read_text().splitlines():
                name, _, value = line.partition("=")
                context[f"steps.{step['id']}.outputs.{name}"] = value
            if done.returncode:
                break
        outputs = {name: self._value(given["value"], context) for name, given in ACTION["outputs"].items()}
        return done.returncode, log, outputs, summary.read_text()

    def _value(self, text: str, context: Mapping[str, str]) -> str:
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: context.get(found[1], ""), text)

    def _holds(self, condition: str, context: Mapping[str, str]) -> bool:
        parts = (part.split(" == ") for part in condition.split(" && "))
        return all(context[name] == value.strip("'") for name, value in parts)


@pytest.fixture
def runner(repository: Repository, installed: Path, server: Server) -> Runner:
    return Runner(repository, installed, server.url)


def pull_request(repository: Repository, *changes: Callable[[dict[str, Any]], None]) -> None:
    """What actions/checkout leaves of a pull request: its merge with the base."""
    repository.git("switch", "-q", "-C", "topic", "main")
    repository.git("commit", "-q", "--allow-empty", "-m", "empty")
    for change in changes:
        repository.commit(change)
    repository.git("switch", "-q", "-C", "merged", "main")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "topic")


_PLACES = b"out\nclusters\n"
_BLOB = b"blob %d\0" % len(_PLACES) + _PLACES
MARKER = f"<!-- kcompile {hashlib.sha1(_BLOB).hexdigest()} -->\n"


def locked(text: str) -> str:
    """How the log shows what is no command."""
    return f"::stop-commands::LOCK\n{text}::LOCK::\n"


RIGHT = "**check**: the trees are what their specs give.\n\n"


def told(repository: Repository, base: str = "HEAD^1") -> str:
    """What the comment is to say of a right tree."""
    short = repository.git("rev-parse", "--short", base).strip()
    return f"{RIGHT}{markdown(repository, short)}\n"


def markdown(repository: Repository, base: str) -> str:
    said = kcompile("diff", SPEC, "--from", base, "--format", "markdown", cwd=repository.path, identity=None)
    assert said.code == 1
    return said.out


def test_one_comment_is_kept_up_to_date(runner: Runner, server: Server) -> None:
    repository = runner.repository
    server.comments = [comment(n, "x", "hello") for n in range(1, 101)]
    server.comments[4] = comment(5, "x", MARKER + "by someone else")  # who may not have it changed
    server.comments[5] |= {"user": None, "body": None}

    pull_request(repository, node_a)
    code, log, outputs, summary = runner.run(sarif="found.sarif")
    assert (code, log) == (0, locked(repository.right()))
    assert outputs == {
        "right": "true",
        "changed": "true",
        "markdown": str(runner.directory / "kcompile.md"),
        "sarif": "found.sarif",
    }
    first = told(repository)
    assert "a-3" in first
    assert (server.comments[100]["body"], summary) == (MARKER + first, first)
    assert server.requests == [
        "GET /repos/o/r/issues/5/comments?per_page=100&page=1",
        "GET /repos/o/r/issues/5/comments?per_page=100&page=2",
        "POST /repos/o/r/issues/5/comments",
    ]
    assert server.tokens == {"Bearer ghs_abc"}
    (sarif,) = json.loads((repository.path / "found.sarif").read_text())["runs"]
    assert sarif["results"] == []

    server.requests.clear()
    pull_request(repository, node_a, node_b)
    assert runner.run()[0] == 0
    second = told(repository)
    assert "b-3" in second
    assert (len(server.comments), server.comments[100]["body"]) == (101, MARKER + second)
    assert server.requests[-1] == "PATCH /repos/o/r/issues/comments/101"

    pull_request(repository)
    assert runner.run()[2]["changed"] == "false"
    assert server.comments[100]["body"] == f"{MARKER}{RIGHT}No cluster changes.\n"


def test_nothing_is_said_where_nothing_changes(runner: Runner, server: Server) -> None:
    repository = runner.repository
    pull_request(repository)
    assert runner.run()[0] == 0
    assert runner.run(event="push")[2]["changed"] == ""
    assert runner.run(comment="false")[0] == 0
    assert server.requests == ["GET /repos/o/r/issues/5/comments?per_page=100&page=1"]


def test_a_fork_gets_a_summary(runner: Runner, server: Server) -> None:
    server.may_write = False
    pull_request(runner.repository, node_a)
    code, log, _, summary = runner.run()
    assert (code, log, summary) == (
        0,
        locked(runner.repository.right())
        + "::notice::no comment could be written, the diff is in the summary of the job: "
        + "curl: (22) The requested URL returned error: 403\n",
        told(runner.repository),
    )
    assert server.comments == []


def test_a_wrong_tree_is_annotated_and_fails(runner: Runner, server: Server) -> None:
    """And what it holds is no command to the runner, nor markup of the comment."""
    repository = runner.repository
    pull_request(repository, node_a)
    with (repository.path / TREE / "README.md").open("a") as file:
        file.write("</pre>##[error]\n")
    code, log, outputs, summary = runner.run(sarif="found.sarif")
    length = len((repository.path / TREE / "README.md").read_text().splitlines())
    words = "was changed after it was built: goes on where it is to end"
    hint = "`kcompile build clusters/test.yaml` writes it anew; what is to stay belongs in the spec"
    excerpt = f"{length:>5} | </pre>##[error]\n      | {'^' * 15}\n   hint: {hint}\n"
    text = f"{TREE}/README.md:{length}:1: {words} [K1104]\n{excerpt}"
    assert (code, log) == (
        1,
        locked(text)
        + f"::error file={TREE}/README.md,line={length},col=1,endColumn=16,title=K1104::{words}%0Ahint: {hint}\n"
        "::error::the trees are not what their specs give, or cannot be compared: see the summary of the job\n",
    )
    assert outputs["right"] == "false"
    quoted = text.replace("</pre>", "&lt;/pre&gt;").rstrip("\n")
    head = f"**check**: the trees are not what their specs give.\n\n<pre>{quoted}</pre>\n\n"
    assert summary.startswith(head)
    assert server.comments[0]["body"] == MARKER + summary
    document = json.loads((repository.path / "found.sarif").read_text())
    jsonschema.validate(document, stored_schema("https://json.schemastore.org/sarif-2.1.0.json"))
    assert [result["ruleId"] for result in document["runs"][0]["results"]] == ["K1104"]


def test_what_is_named_is_no_command(runner: Runner) -> None:
    """Neither inputs nor names of files, which a pull request chooses."""
    repository = runner.repository
    pull_request(repository, node_a)
    named = "clusters/`touch pwned`.yaml"
    shutil.copyfile(repository.path / SPEC, repository.path / named)
    for specs in ("clusters", "$(touch pwned)\n; touch pwned\n-h", named):
        code, log, outputs, summary = runner.run(specs=specs, out='"$(touch pwned)"', sarif="$(touch pwned)")
        assert (code, outputs["right"], outputs["sarif"]) == (1, "false", "$(touch pwned)")
        assert "touch pwned" in log
        assert "touch pwned" in summary
    assert not (repository.path / "pwned").exists()


def test_a_new_cluster_is_named_and_others_are_told(runner: Runner, server: Server) -> None:
    repository = runner.repository
    pull_request(repository, node_a)
    document = yaml.safe_load((repository.path / SPEC).read_text()) | {"metadata": {"name": "new"}}
    document["spec"].pop("nodePools")
    (repository.path / "clusters/new.yaml").write_text(yaml.safe_dump(document))
    for words in (("secrets", "create"), ("build",)):
        succeed(kcompile(*words, "clusters/new.yaml", cwd=repository.path, identity=repository.identity))
    repository.git("add", "-A")
    repository.git("commit", "-q", "--amend", "--no-edit")
    assert runner.run()[0] == 0
    wanted = told(repository).replace(RIGHT, f"{RIGHT}New is <code>clusters/new.yaml</code>.\n\n")
    assert server.comments[0]["body"] == MARKER + wanted


def test_the_base_of_a_checkout(runner: Runner, tmp_path: Path) -> None:
    repository = runner.repository
    pull_request(repository, node_a)
    repository.git("switch", "-q", "main")
    repository.commit(max_pods)
    repository.git("switch", "-q", "topic")  # not the merge that the event is of
    assert runner.run(commit="merged", comment="false")[3] == told(repository, base="main~1")
    repository.git("clone", "-q", "--depth", "1", "-b", "merged", f"file://{repository.path}", tmp_path / "shallow")
    shallow = Runner(Repository(tmp_path / "shallow", ""), runner.directory, runner.url)
    code, log, _, _ = shallow.run(base="HEAD", comment="false")
    assert (code, log) == (
        1,
        locked(shallow.repository.right())
        + "::error::the base of the pull request is not here: use actions/checkout with fetch-depth 2\n",
    )


# --- GitLab ---------------------------------------------------------------------------------------


def test_the_job_of_gitlab(repository: Repository, installed: Path, server: Server) -> None:
    repository.git("switch", "-q", "-c", "topic")
    repository.commit(node_a)
    base = repository.git("rev-parse", "main").strip()
    env = repository.environment(
        CI_MERGE_REQUEST_DIFF_BASE_SHA=base,
        CI_MERGE_REQUEST_IID="5",
        CI_PROJECT_ID="3",
        CI_API_V4_URL=server.url,
        KCOMPILE_TOKEN="glpat",
    )
    env["PATH"] = f"{installed}/kcompile/bin:{env['PATH']}"

    def job(code: int) -> list[dict[str, Any]]:
        run("bash", "-eo", "pipefail", "-c", "\n".join(GITLAB["script"]), cwd=repository.path, env=env, code=code)
        found: list[dict[str, Any]] = json.loads((repository.path / "kcompile-quality.json").read_text())
        return found

    server.comments = [comment(1, "x", "<!-- kcompile -->\nby someone else")]
    assert job(0) == []
    said = markdown(repository, base)
    assert (repository.path / "kcompile.md").read_text() == said
    assert server.comments[1]["body"] == f"<!-- kcompile -->\n{said}"
    assert (server.requests, server.tokens) == (
        [
            "GET /user",
            "GET /projects/3/merge_requests/5/notes?per_page=100&page=1",
            "GET /projects/3/merge_requests/5/notes?per_page=100&page=2",
            "POST /projects/3/merge_requests/5/notes",
        ],
        {"glpat"},
    )
    repository.commit(node_b)
    (repository.path / TREE / "README.md").unlink()
    problem = f"{TREE}/README.md"
    message = "is missing"
    assert job(1) == [
        {
            "description": f"{message}\nhint: restore it from git, or `kcompile build {SPEC}` writes it anew",
            "check_name": "K1102",
            "fingerprint": hashlib.sha256(f"K1102\0{problem}\0\0{message}".encode()).hexdigest(),
            "severity": "major",
            "location": {"path": problem, "lines": {"begin": 1}},
        }
    ]
    assert [c["body"] for c in server.comments[1:]] == [f"<!-- kcompile -->\n{markdown(repository, base)}"]
    assert server.requests[-1] == "PUT /projects/3/merge_requests/5/notes/2"
