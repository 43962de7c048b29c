"""A change of a spec, and exactly what diff says of it. The texts are in tests/diff."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kcompile import diff, meaning
from kcompile.diff import Change, File, Tree
from kcompile.meaning import Difference
from kcompile.report import changes as views
from kcompile.rollout import Rollout

from conftest import ALICE, ROOT, Result, clean_environment, kcompile, run, succeed, tool

TEXTS = Path(__file__).parent / "diff"
THIRD = "age1qam7nnwpv2xahtjhwexqhsphnnr83sm23rk3323lxqu5vqrl8u5qt9pywp"
Edit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Review:
    """A git repository with the example prod and its tree, both committed."""

    path: Path

    @property
    def spec(self) -> Path:
        return self.path / "clusters/prod.yaml"

    @property
    def tree(self) -> Path:
        return self.path / "out/prod"

    def edit(self, change: Edit) -> None:
        (document,) = meaning.documents(self.spec.read_bytes())
        change(document["spec"])
        self.spec.write_text(yaml.safe_dump(document, sort_keys=False))

    def build(self) -> None:
        succeed(kcompile("build", "clusters/prod.yaml", cwd=self.path))

    def commit(self) -> None:
        git = [tool("git"), "-C", self.path, "-c", "user.name=a", "-c", "user.email=a@example.com"]
        run(*git, "add", "-A")
        run(*git, "commit", "-q", "-m", "change")

    def diff(self, *args: str | Path, identity: Path | None = ALICE) -> Result:
        return kcompile("diff", *(args or ("clusters/prod.yaml",)), cwd=self.path, identity=identity)


@pytest.fixture
def review(tmp_path: Path) -> Review:
    shutil.copytree(ROOT / "clusters", tmp_path / "clusters")
    shutil.copytree(ROOT / "out/prod", tmp_path / "out/prod")
    found = Review(tmp_path)
    found.edit(lambda spec: None)
    found.build()
    run(tool("git"), "-C", tmp_path, "init", "-q", "-b", "main")
    found.commit()
    return found


# --- from a change of the spec to the text --------------------------------------------------------


def label(spec: dict[str, Any]) -> None:
    spec["nodePools"][0]["labels"]["zone"] = "a"


def flag(spec: dict[str, Any]) -> None:
    spec["apiServer"]["extraArgs"]["v"] = "4"


def san(spec: dict[str, Any]) -> None:
    spec["apiServer"]["certSANs"].append("api.example.net")


def issued(spec: dict[str, Any]) -> None:
    spec["pki"]["issuedAt"] = "2026-11-24T00:00:00Z"


def node_added(spec: dict[str, Any]) -> None:
    spec["nodePools"][1]["nodes"].append({"name": "s-3", "address": "10.0.2.3"})


def member_added(spec: dict[str, Any]) -> None:
    spec["controlPlane"]["nodes"].append({"name": "cp-4", "address": "10.0.0.14"})


def node_removed(spec: dict[str, Any]) -> None:
    del spec["nodePools"][0]["nodes"][1]


def patch(spec: dict[str, Any]) -> None:
    body = {"metadata": {"annotations": {"team": "infra"}}}
    spec["patches"] = [{"target": "kube-apiserver", "type": "strategic", "patch": body, "nodes": ["cp-1"]}]


def reordered(spec: dict[str, Any]) -> None:
    spec["apiServer"]["extraArgs"] = dict(reversed(spec["apiServer"]["extraArgs"].items()))


def kubelet(spec: dict[str, Any]) -> None:
    spec["kubelet"]["maxPods"] = 250


def token(spec: dict[str, Any]) -> None:
    spec["bootstrapTokens"][0]["description"] = "workers"


def proxy(spec: dict[str, Any]) -> None:
    spec["kubeProxy"] = {"mode": "ipvs"}


CASES: dict[str, Edit] = {
    "label": label,
    "flag": flag,
    "san": san,
    "issued-at": issued,
    "node-added": node_added,
    "member-added": member_added,
    "node-removed": node_removed,
    "patch": patch,
    "reordered": reordered,
    "kubelet": kubelet,
    "token": token,
    "kube-proxy": proxy,
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_told_as_it_stands(name: str, review: Review) -> None:
    review.edit(CASES[name])
    result = review.diff()
    assert (result.out, result.err, result.code) == ((TEXTS / f"{name}.txt").read_text(), "", 1)
    review.build()
    again = review.diff()
    assert (again.out, again.code) == ("out/prod → clusters/prod.yaml: no difference\n", 0)
    review.commit()
    between = review.diff("clusters/prod.yaml", "--from", "main~1", "--to", "main", identity=None)
    expected = result.out.replace("out/prod → clusters/prod.yaml", "out/prod at main~1 → out/prod at main")
    assert (between.out, between.err, between.code) == (expected, "", 1)


def test_an_upgrade(review: Review) -> None:
    review.edit(lambda spec: spec.update(kubernetesVersion="v1.35.3"))
    succeed(kcompile("build", "clusters/prod.yaml", "--allow-version-jump", "--out", "old", cwd=review.path))
    shutil.rmtree(review.tree)
    shutil.move(review.path / "old/prod", review.tree)
    review.commit()
    review.edit(lambda spec: spec.update(kubernetesVersion="v1.36.2"))
    result = review.diff()
    assert (result.out, result.err, result.code) == ((TEXTS / "upgrade.txt").read_text(), "", 1)


def test_a_recipient(review: Review) -> None:
    rules = {"creation_rules": [{"path_regex": ".*", "encrypted_regex": "^(key|secret)$"}]}
    recipients = meaning.documents(review.spec.read_bytes())[0]["spec"]["secrets"]["recipients"]
    rules["creation_rules"][0]["age"] = ",".join([*recipients, THIRD])
    (review.path / ".sops.yaml").write_text(yaml.safe_dump(rules))
    environment = clean_environment(SOPS_AGE_KEY_FILE=str(ALICE))
    run(tool("sops"), "updatekeys", "-y", "clusters/prod.secrets.yaml", cwd=review.path, env=environment)
    review.edit(lambda spec: spec["secrets"]["recipients"].append(THIRD))
    result = review.diff()
    assert (result.out, result.err, result.code) == ((TEXTS / "recipient.txt").read_text(), "", 1)


def test_other_secrets(review: Review) -> None:
    (review.path / "clusters/prod.secrets.yaml").unlink()
    succeed(kcompile("secrets", "create", "clusters/prod.yaml", cwd=review.path))
    result = review.diff()
    assert (result.out, result.code) == ((TEXTS / "secrets.txt").read_text(), 2)
    paths = ["ca.crt", "etcd/ca.crt", "front-proxy-ca.crt"]
    says = "is another authority, and while hosts have one or the other none of them agree [K1024]"
    assert sorted(line for line in result.err.splitlines() if "[K1024]" in line) == [
        f"clusters/prod.yaml:1:1: /etc/kubernetes/pki/{path} {says}" for path in paths
    ]


def test_a_comment_changes_only_what_describes_the_tree(review: Review) -> None:
    review.spec.write_text(f"# a comment\n{review.spec.read_text()}")
    result = review.diff()
    assert (result.out, result.code) == (
        "out/prod → clusters/prod.yaml: 1 change\n"
        "\n"
        "the tree\n"
        "  README.md, kcompile.json, kcompile.json.sig\n"
        "    ~ only what describes the tree changed\n"
        "\n"
        "rollout\n"
        "  nothing is to be done on hosts or in the cluster\n",
        1,
    )


def test_two_trees(review: Review) -> None:
    shutil.copytree(review.tree, review.path / "other/prod")
    same = review.diff("out/prod", "other/prod", identity=None)
    assert (same.out, same.err, same.code) == ("out/prod → other/prod: no difference\n", "", 0)
    review.edit(label)
    succeed(kcompile("build", "clusters/prod.yaml", "--out", "other", cwd=review.path))
    result = review.diff("out/prod", "other/prod", identity=None)
    assert (result.out, result.err, result.code) == (
        "the specs of both sides are not known, so no causes are named\n"
        "out/prod → other/prod: 1 change on 3 hosts\n"
        "\n"
        "w-1 … w-3 (3 hosts)\n"
        "  /var/lib/kubelet/kubeadm-flags.env\n"
        "    + --node-labels=zone=a\n"
        "        impact: restarts the kubelet; a node that is registered keeps its labels: `kubectl label node`\n"
        "\n"
        "rollout\n"
        "  1. workers: w-1 … w-3 (3 hosts)\n"
        "     run install.sh; kubelet restarts\n"
        "     wait until each Node is Ready\n",
        "",
        1,
    )


# --- what goes wrong ------------------------------------------------------------------------------


def test_without_an_identity_nothing_can_be_built(review: Review) -> None:
    result = review.diff(identity=None)
    assert (result.code, result.out) == (3, "")
    assert "[K0902]" in result.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (
            ("clusters/prod.yaml", "--from", "mian"),
            "git knows no revision mian [K1021]\n"
            "   hint: name a branch, a tag or a commit that is here; a shallow clone may lack it: `git fetch`\n",
        ),
        (
            ("clusters/prod.yaml", "--from=--output=x"),
            "git knows no revision --output=x [K1021]\n"
            "   hint: name a branch, a tag or a commit that is here; a shallow clone may lack it: `git fetch`\n",
        ),
        (
            ("clusters/new.yaml", "--from", "main"),
            "clusters/new.yaml:1:1: there is no cluster spec at the revision main [K1023]\n",
        ),
        (
            ("out/prod", "clusters"),
            "clusters:1:1: is no tree of kcompile [K1004]\n"
            "   hint: name a tree that kcompile built, such as out/prod\n",
        ),
    ],
)
def test_bad_input(args: tuple[str, ...], says: str, review: Review) -> None:
    result = review.diff(*args)
    assert (result.code, result.out, result.err) == (2, "", says)


def test_outside_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("{}")
    result = kcompile("diff", "c.yaml", "--from", "main", cwd=tmp_path)
    assert (result.code, result.out, result.err) == (
        2,
        "",
        "c.yaml:1:1: is not in a git repository [K1020]\n   hint: --from and --to compare committed trees\n",
    )


# --- the other formats ----------------------------------------------------------------------------


def test_markdown(review: Review) -> None:
    review.edit(label)
    review.edit(san)
    result = review.diff("clusters/prod.yaml", "--format", "markdown")
    assert (result.out, result.code) == ((TEXTS / "markdown.md").read_text(), 1)


def test_json(review: Review) -> None:
    review.edit(label)
    result = review.diff("clusters/prod.yaml", "--format", "json")
    assert result.code == 1
    assert json.loads(result.out) == {
        "before": "out/prod",
        "after": "clusters/prod.yaml",
        "notes": [],
        "changes": [
            {
                "kind": "flag",
                "action": "added",
                "subject": "--node-labels",
                "before": None,
                "after": "zone=a",
                "where": "hosts",
                "hosts": ["w-1", "w-2", "w-3"],
                "paths": ["/var/lib/kubelet/kubeadm-flags.env"],
                "impact": [
                    "restarts the kubelet",
                    "a node that is registered keeps its labels: `kubectl label node`",
                ],
                "causes": ["spec.nodePools[general].labels.zone"],
            }
        ],
        "rollout": {
            "waves": [
                {
                    "title": "pool general",
                    "hosts": ["w-1", "w-2", "w-3"],
                    "oneAtATime": False,
                    "does": ["run install.sh", "kubelet restarts"],
                    "waitUntil": ["each Node is Ready"],
                }
            ],
            "problems": [],
        },
    }


def many(count: int, size: int) -> views.Report:
    """A report of many changes, each on a host of its own."""
    changes = tuple(
        Change("field", f"field{i}", "changed", "a" * size, "b" * size, "hosts", ("/etc/x.yaml",), (f"host-{i:04}",))
        for i in range(count)
    )
    return views.Report("old", "new", changes, Rollout(()))


@pytest.mark.parametrize(("count", "size"), [(100, 300), (400, 100), (700, 10), (5000, 10)])
def test_markdown_fits_a_comment(count: int, size: int) -> None:
    text = views.as_markdown(many(count, size))
    assert 40_000 < len(text.encode()) <= views.COMMENT_LIMIT
    assert "Too long for one comment" in text
    assert text.count("<details>") == text.count("</details>")
    assert f"{count} changes on {count} hosts." in text


@pytest.mark.parametrize("limit", [1000, 20_000, 1_000_000])
def test_markdown_fits_what_it_is_given(limit: int) -> None:
    text = views.as_markdown(many(400, 100), limit)
    assert len(text.encode()) <= limit
    assert ("Too long" in text) == (limit < 1_000_000)


def test_max_bytes_goes_with_markdown(review: Review) -> None:
    review.edit(flag)
    review.build()
    review.commit()
    words = ("clusters/prod.yaml", "--from", "HEAD~1", "--max-bytes", "1000")
    assert len(review.diff(*words, "--format", "markdown", identity=None).out.encode()) <= 1000
    said = review.diff(*words, identity=None)
    assert (said.code, said.err.splitlines()[-1]) == (2, "Error: --max-bytes goes with --format markdown")


def test_markdown_says_how_many_it_leaves_out() -> None:
    lines = views.as_markdown(many(5000, 10)).rstrip().splitlines()
    counted = sum(line.startswith("- host-") for line in lines)
    assert lines[-1] == f"- and {5000 - counted} more places"


def test_markdown_of_names_that_are_markup() -> None:
    change = Change("field", "a`b", "added", None, "``x`` <b>", "cluster", ("Thing </details><img>",))
    text = views.as_markdown(views.Report("old", "new", (change,), Rollout(())))
    assert "`Thing </details><img>`" in text
    assert "- ``` + a`b: ``x`` <b> ```\n" in text


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (("w-1",), "w-1"),
        (("w-2", "w-1"), "w-1, w-2 (2 hosts)"),
        (tuple(f"w-{i}" for i in range(1, 41)), "w-1 … w-40 (40 hosts)"),
        (("w-01", "w-02", "w-03", "w-05"), "w-01 … w-03, w-05 (4 hosts)"),
        (("a1.x", "a2.x", "a3.x", "b"), "a1.x … a3.x, b (4 hosts)"),
    ],
)
def test_hosts_are_named_compactly(hosts: tuple[str, ...], words: str) -> None:
    assert views.named(hosts) == words


# --- secrets --------------------------------------------------------------------------------------

PLANTED = "PLANTEDSECRETVALUE"
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{PLANTED}\n-----END EC PRIVATE KEY-----\n"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}


@pytest.mark.parametrize("old", [b"", b"x: 1\n", b"{}", b"\xff", b"a\nb\n"])
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("hosts/a/sealed/etc/kubernetes/pki/ca.key", PEM),
        ("hosts/a/sealed/etc/kubernetes/admin.conf", f"kind: Config\nusers:\n- user: {{token: {PLANTED}}}\n"),
        ("hosts/a/sealed/etc/x.yaml", yaml.safe_dump({"keys": [{"name": "k", "secret": PLANTED}]})),
        ("admin/admin.conf", PEM),
        ("cluster/sealed/x.yaml", yaml.safe_dump(SECRET | {"data": {"a": PLANTED}})),
        ("cluster/manifests/x.yaml", yaml.safe_dump(SECRET | {"stringData": {"a": PLANTED}})),
        (
            "cluster/manifests/y.yaml",
            yaml.safe_dump({"kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"k": PEM}}),
        ),
        ("hosts/a/install.sh", f"cat <<E\n{PEM}E\n"),
        ("hosts/a/rootfs/etc/kubernetes/pki/ca.crt", PEM),
        ("hosts/a/rootfs/var/lib/kubelet/kubeadm-flags.env", f'A="--x=AGE-SECRET-KEY-{PLANTED}"\n'),
        ("hosts/a/rootfs/etc/kubernetes/kubelet.conf", PEM),
    ],
)
def test_a_secret_that_was_planted_never_shows(path: str, content: str, old: bytes) -> None:
    base = {"hosts/a/host.json": File(b"{}")}
    plain = Tree("old", base | {path: File(old)})
    other = Tree("other", base | {path: File(content.replace(PLANTED, f"{PLANTED}2").encode())})
    planted = Tree("new", base | {path: File(content.encode())})
    for before, after in ((plain, planted), (planted, plain), (other, planted)):
        found = diff.compare(before, after)
        assert found
        report = views.Report("old", "new", found, Rollout(()))
        for view in views.FORMATS.values():
            assert PLANTED not in view(report)


def test_no_secret_of_a_tree_shows_when_all_change(review: Review) -> None:
    before = review.path / "before"
    succeed(kcompile("render", "out/prod", "cp-1", "--to", before, cwd=review.path))
    review.edit(issued)
    review.edit(token)
    rendered = [path.read_text() for path in before.rglob("*.key")] + [
        (before / "etc/kubernetes/admin.conf").read_text()
    ]
    lines = {line.strip() for text in rendered for line in text.splitlines() if len(line.strip()) > 40}
    lines |= {yaml.safe_load(rendered[-1])["users"][0]["user"]["client-key-data"]}
    lines -= {line for line in lines if "certificate" in line}
    for style in ("text", "markdown", "json"):
        shown = review.diff("clusters/prod.yaml", "--format", style).out
        assert [line for line in lines if line in shown] == []


# --- values ---------------------------------------------------------------------------------------


def test_a_renamed_file_of_objects_is_no_change() -> None:
    content = b"kind: ConfigMap\nmetadata: {name: a}\n"
    renamed = diff.compare(Tree("a", {"cluster/1.yaml": File(content)}), Tree("b", {"cluster/2.yaml": File(content)}))
    assert [(c.kind, c.subject, c.action) for c in renamed] == [("file", "order", "reordered")]


def test_items_of_a_list_are_known_by_their_key() -> None:
    before = {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "i"}]}
    after = {"containers": [{"name": "b", "image": "j"}, {"name": "a", "env": [{"name": "X", "value": "2"}]}]}
    assert meaning.data(before, after) == (
        Difference("field", "containers[a].env[X].value", "changed", "1", "2"),
        Difference("field", "containers[b].image", "changed", "i", "j"),
    )
    assert meaning.data(after, {"containers": after["containers"][::-1]}) == (
        Difference("field", "containers", "reordered"),
    )


def test_a_number_is_not_a_boolean() -> None:
    assert meaning.data({"a": 1}, {"a": True}) == (Difference("field", "a", "changed", "1", "true"),)
    assert meaning.data({"a": [1]}, {"a": [True]}) == (
        Difference("field", "a", "removed", "1", None),
        Difference("field", "a", "added", None, "true"),
    )


def test_mode_policy_and_target_are_changes() -> None:
    old = File(b"", "0644", "managed", None)
    path = "hosts/a/rootfs/etc/x"
    found = diff.compare(
        Tree("a", {path: old}), Tree("b", {path: replace(old, mode="0600", policy="create", target="/etc/y")})
    )
    assert [(c.subject, c.before, c.after) for c in found] == [
        ("mode", "0644", "0600"),
        ("policy", "managed", "create"),
        ("target", None, "/etc/y"),
    ]


def test_a_rotated_data_key_is_no_other_secret(review: Review) -> None:
    """Whoever can open both sides is told that nothing changed; whoever cannot, that nobody could tell."""
    shutil.copytree(review.tree, review.path / "former/prod")
    environment = clean_environment(SOPS_AGE_KEY_FILE=str(ALICE))
    run(tool("sops"), "rotate", "-i", "clusters/prod.secrets.yaml", cwd=review.path, env=environment)
    nothing = "rollout\n  nothing is to be done on hosts or in the cluster\n"
    opened = review.diff()
    assert (opened.out, opened.code) == (
        "out/prod → clusters/prod.yaml: 1 change\n\nthe tree\n"
        "  README.md, hosts/cp-1/host.json, hosts/cp-1/install.sh, hosts/cp-2/host.json and 15 more\n"
        f"    ~ only what describes the tree changed\n\n{nothing}",
        1,
    )
    review.build()
    closed = review.diff("former/prod", "out/prod", identity=None)
    assert (closed.out, closed.code) == (
        "the specs of both sides are not known, so no causes are named\n"
        "former/prod → out/prod: 1 change\n\nthe tree\n  sealed files\n    ~ data key changed\n"
        f"        impact: whether secrets changed as well is to be told only with an identity\n\n{nothing}",
        1,
    )


def test_objects_of_two_groups_are_two() -> None:
    """Both are called Cluster a; the version is no part of a name."""

    def tree(*versions: str) -> Tree:
        text = "---\n".join(f"apiVersion: {version}\nkind: Cluster\nmetadata: {{name: a}}\n" for version in versions)
        return Tree("t", {"cluster/70.yaml": File(text.encode())})

    before = tree("cluster.x-k8s.io/v1", "postgresql.cnpg.io/v1")
    after = tree("cluster.x-k8s.io/v1beta2", "postgresql.cnpg.io/v1")
    (change,) = diff.compare(before, after)
    assert (change.paths, change.subject, change.before, change.after) == (
        ("Cluster.cluster.x-k8s.io a",),
        "apiVersion",
        "cluster.x-k8s.io/v1",
        "cluster.x-k8s.io/v1beta2",
    )


def test_a_directory_that_looks_like_a_repository_is_none(review: Review) -> None:
    """What a branch holds is data: a repository that it brings along, with a command to fetch by, is not entered."""
    clusters = review.path / "clusters"
    for directory in ("objects", "refs"):
        (clusters / directory).mkdir()
        (clusters / directory / "x").write_text("")
    (clusters / "HEAD").write_text("ref: refs/heads/main\n")
    (clusters / "config").write_text(
        "[core]\n\trepositoryformatversion = 1\n\tbare = false\n\tworktree = .\n"
        "[extensions]\n\tpartialClone = origin\n"
        f'[remote "origin"]\n\turl = {review.path}\n\tpromisor = true\n\tuploadpack = touch {review.path}/RAN;\n'
    )
    review.commit()
    result = review.diff("clusters/prod.yaml", "--from", "0123456789012345678901234567890123456789", identity=None)
    assert (result.code, (review.path / "RAN").exists()) == (2, False)
    assert review.diff("clusters/prod.yaml", "--from", "main", identity=None).code in (0, 2)
    assert not (review.path / "RAN").exists()
