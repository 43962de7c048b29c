"""What a build writes over a tree that stands: what changed and nothing else, and never what is not its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import killer
from conftest import clean_environment
from killer import Change, Run, Runner, grow_old, make_change, snapshot, stamps

ADDED = "out/test: 26 files written, 17 removed, 51 unchanged\n"
REFUSED = """\
out/test/{}:1:1: stands where the tree has a file, and kcompile did not write it [K1008]
   hint: move it away; or, if the whole directory is an old tree, remove that and build again
"""

REWRITTEN = (
    "README.md",
    "cluster/11-kubelet-config.yaml",
    "cluster/bootstrap.sh",
    "cluster/kustomization.yaml",
    "hosts/cp-1/host.json",
    "hosts/cp-1/install.sh",
    "hosts/cp-1/rootfs/var/lib/kubelet/config.yaml",
    "kcompile.json",
    "kcompile.json.sig",
)
"""What the change rewrites. Without a manifest it is not known to be kcompile's, and in the way."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with killer.runner(clean_environment()) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Change:
    return make_change(tmp_path_factory.mktemp("base") / "cluster", runner)


@pytest.fixture
def change(cluster: Change, tmp_path: Path) -> Change:
    copied = cluster.copy(tmp_path / "cluster")
    grow_old(copied.out)
    return copied


def expect(run: Run, out: str, err: str = "") -> None:
    assert (run.code, run.out, run.err) == (0, out, err)


def expect_refused(change: Change, *paths: str, which: str = "new") -> None:
    """The build refuses, naming these and nothing else, and touches nothing at all in the cluster's directory."""
    before, content = stamps(change.path), snapshot(change.path)
    run = change.build(which)
    assert (run.code, run.out, run.err) == (4, "", "".join(map(REFUSED.format, paths)))
    assert run.points == ()
    assert stamps(change.path) == before
    assert snapshot(change.path) == content


def unchanged(tree: dict[str, tuple[object, ...]]) -> str:
    return f"out/test: unchanged, {sum(entry[0] == 'file' for entry in tree.values())} files\n"


# --- what is rewritten ----------------------------------------------------------------------------


def test_second_build_writes_nothing_at_all(change: Change) -> None:
    before = stamps(change.out)
    run = change.build("old")
    expect(run, unchanged(change.old))
    assert run.points == ()
    assert stamps(change.out) == before


def test_only_files_whose_bytes_changed_are_rewritten(change: Change) -> None:
    before = stamps(change.tree)
    expect(change.build("new"), ADDED)
    assert snapshot(change.out) == {".": ("directory", "0o755"), **below("test", change.new)}
    after = stamps(change.tree)
    files = {path for path, entry in change.new.items() if entry[0] == "file"}
    same = {path for path in files if change.old.get(path) == change.new[path]}
    assert {path for path in files if before.get(path) == after[path]} == same
    assert sorted(path for path in files - same if path in change.old) == list(REWRITTEN)
    assert sorted(path for path in files if path not in change.old and not path.startswith("hosts/w-2/")) == [
        "cluster/manifests/comes/along.yaml"
    ]


def below(name: str, tree: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    return {name if path == "." else f"{name}/{path}": entry for path, entry in tree.items()}


def test_removed_host_and_directories_that_are_empty_then_go(change: Change) -> None:
    expect(change.build("new"), ADDED)
    assert sorted(os.listdir(change.tree / "hosts")) == ["cp-1", "w-2"]
    assert sorted(os.listdir(change.tree / "cluster" / "manifests")) == ["comes", "stays.yaml"]
    expect(change.build("old"), "out/test: 26 files written, 17 removed, 51 unchanged\n")
    assert snapshot(change.tree) == change.old


def test_lost_file_is_written_again_and_nothing_else(change: Change) -> None:
    lost = change.tree / "hosts" / "cp-1" / "install.sh"
    before = stamps(change.tree)
    lost.unlink()
    expect(change.build("old"), "out/test: 1 file written, 0 removed, 76 unchanged\n")
    assert snapshot(change.tree) == change.old
    after = stamps(change.tree)
    files = [path for path, entry in change.old.items() if entry[0] == "file"]
    assert [path for path in files if before[path] != after[path]] == ["hosts/cp-1/install.sh"]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755, 0o4644])
def test_mode_that_was_changed_is_put_right(mode: int, change: Change) -> None:
    (change.tree / "README.md").chmod(mode)
    assert change.build("old").code == 0
    assert snapshot(change.tree) == change.old


def test_empty_directory_is_filled(change: Change) -> None:
    shutil.rmtree(change.tree)
    change.tree.mkdir()
    expect(change.build("old"), f"out/test: {len(files(change.old))} files written, 0 removed, 0 unchanged\n")
    assert snapshot(change.tree) == change.old


def files(tree: dict[str, tuple[object, ...]]) -> list[str]:
    return [path for path, entry in tree.items() if entry[0] == "file"]


@pytest.mark.parametrize("exchange", [True, False])
def test_file_system_without_links_or_exchange(exchange: bool, change: Change) -> None:
    """Files cannot be kept there, but what did not change keeps its time."""
    foreign = change.tree / "notes"
    foreign.write_text("mine\n")
    os.utime(foreign, ns=(10**18, 10**18))
    before = stamps(change.tree)
    run = change.build("new", exchange=exchange, link=False)
    expect(run, ADDED, "kept: out/test/notes was not written by kcompile\n")
    assert snapshot(change.tree) == change.new | {"notes": ("file", "0o644", b"mine\n")}
    after = stamps(change.tree)
    same = [path for path in files(change.new) if change.old.get(path) == change.new[path]]
    assert {path: after[path][1] for path in [*same, "notes"]} == {path: before[path][1] for path in [*same, "notes"]}


def test_first_build_makes_the_directories_above(change: Change) -> None:
    run = change.run("build", "new/c.yaml", "--out", "deep/er")
    expect(run, f"deep/er/test: {len(files(change.new))} files written, 0 removed, 0 unchanged\n")
    assert snapshot(change.path / "deep" / "er" / "test") == change.new
    assert os.listdir(change.path / "deep" / "er") == ["test"]


def test_trees_of_other_clusters_are_left_alone(change: Change) -> None:
    for name in ("test-2", ".kcompile-staging-test-2-00000000", ".kcompile-retired-test-2", "tes"):
        shutil.copytree(change.tree, change.out / name)
    grow_old(change.out)
    before = {name: stamps(change.out / name) for name in os.listdir(change.out) if name != "test"}
    expect(change.build("new"), ADDED)
    assert {name: stamps(change.out / name) for name in os.listdir(change.out) if name != "test"} == before


# --- modes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077, 0o777])
def test_modes_do_not_depend_on_the_umask(umask: int, change: Change) -> None:
    shutil.rmtree(change.out)
    assert change.build("old", umask=umask).code == 0
    assert {mode for _, mode, *_ in snapshot(change.out).values()} == {"0o755", "0o644"}
    assert snapshot(change.tree) == change.old
    expect(change.build("new", umask=umask), ADDED)
    assert snapshot(change.tree) == change.new
    assert snapshot(change.out)["."] == ("directory", "0o755")


def test_mode_of_the_tree_itself_is_kept(change: Change) -> None:
    change.tree.chmod(0o700)
    expect(change.build("new"), ADDED)
    assert snapshot(change.tree) == change.new | {".": ("directory", "0o700")}


def test_only_scripts_are_executable(change: Change) -> None:
    executable = {path for path, entry in change.old.items() if entry[:2] == ("file", "0o755")}
    assert executable == {
        "cluster/bootstrap.sh",
        "cluster/mark-control-plane.sh",
        "hosts/cp-1/etcd-member.sh",
        "hosts/cp-1/install.sh",
        "hosts/cp-1/preflight.sh",
        "hosts/cp-1/ready.sh",
        "hosts/w-1/install.sh",
        "hosts/w-1/join.sh",
        "hosts/w-1/preflight.sh",
    }
    assert {entry[1] for path, entry in change.old.items() if entry[0] == "file" and path not in executable} == {
        "0o644"
    }


# --- what kcompile did not write ------------------------------------------------------------------


def add_foreign(tree: Path) -> None:
    (tree / "NOTES.txt").write_text("mine\n")
    (tree / "NOTES.txt").chmod(0o600)
    (tree / "cluster" / "manifests" / "extra.yaml").write_text("mine\n")
    (tree / "hosts" / "w-1" / "ticket").write_text("mine\n")  # of a host that goes
    (tree / "mine" / "deep").mkdir(parents=True)
    (tree / "mine" / "deep" / "run.sh").write_text("mine\n")
    (tree / "mine" / "deep" / "run.sh").chmod(0o750)
    (tree / "mine" / "empty").mkdir()
    (tree / "link").symlink_to("README.md")
    (tree / "mine" / "dangling").symlink_to("/nonexistent/x")
    (tree / "elsewhere").symlink_to("../../elsewhere")
    grow_old(tree)


FOREIGN: dict[str, tuple[object, ...]] = {
    "NOTES.txt": ("file", "0o600", b"mine\n"),
    "cluster/manifests/extra.yaml": ("file", "0o644", b"mine\n"),
    "elsewhere": ("link", "../../elsewhere"),
    "hosts/w-1": ("directory", "0o755"),
    "hosts/w-1/ticket": ("file", "0o644", b"mine\n"),
    "link": ("link", "README.md"),
    "mine": ("directory", "0o755"),
    "mine/dangling": ("link", "/nonexistent/x"),
    "mine/deep": ("directory", "0o755"),
    "mine/deep/run.sh": ("file", "0o750", b"mine\n"),
    "mine/empty": ("directory", "0o755"),
}
KEPT = "".join(
    f"kept: out/test/{path} was not written by kcompile\n" for path, entry in FOREIGN.items() if entry[0] != "directory"
)


@pytest.mark.parametrize("exchange", [True, False])
def test_foreign_files_are_kept_and_reported(exchange: bool, change: Change) -> None:
    elsewhere = change.path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("outside\n")
    add_foreign(change.tree)
    outside, before = stamps(elsewhere), stamps(change.tree)
    expect(change.build("new", exchange=exchange), ADDED, KEPT)
    assert snapshot(change.tree) == change.new | FOREIGN
    assert stamps(elsewhere) == outside
    after = stamps(change.tree)
    regular = [path for path, entry in FOREIGN.items() if entry[0] == "file"]
    assert [after[path] for path in regular] == [before[path] for path in regular]
    grow_old(change.tree)
    before = stamps(change.out)
    expect(change.build("new"), unchanged(change.new), KEPT)
    assert stamps(change.out) == before


def test_foreign_directory_keeps_its_mode(change: Change) -> None:
    private = change.tree / "private"
    private.mkdir(mode=0o700)
    (private / "key").write_text("mine\n")
    (private / "shared").mkdir()
    (private / "shared").chmod(0o2775)
    expect(change.build("new"), ADDED, "kept: out/test/private/key was not written by kcompile\n")
    assert snapshot(private) == {
        ".": ("directory", "0o700"),
        "key": ("file", "0o644", b"mine\n"),
        "shared": ("directory", "0o2775"),
    }


def test_foreign_name_does_not_steer_the_terminal(change: Change) -> None:
    (change.tree / "a\x1b[31m\nout").write_text("mine\n")
    expect(change.build("new"), ADDED, "kept: out/test/a\\x1b[31m\\x0aout was not written by kcompile\n")


def test_foreign_name_that_is_no_utf8_is_kept(change: Change) -> None:
    name = os.fsencode(change.tree) + b"/\xff\xfe"
    Path(os.fsdecode(name)).write_text("mine\n")
    expect(change.build("new"), ADDED, "kept: out/test/\\udcff\\udcfe was not written by kcompile\n")
    assert Path(os.fsdecode(name)).read_text() == "mine\n"


def test_foreign_file_equal_to_what_comes_is_taken_over(change: Change) -> None:
    path = "cluster/manifests/comes/along.yaml"
    (change.tree / path).parent.mkdir()
    (change.tree / path).write_bytes(change.new[path][2])
    expect(change.build("new"), "out/test: 25 files written, 17 removed, 52 unchanged\n")
    assert snapshot(change.tree) == change.new


PLACE = "cluster/manifests/comes/along.yaml"


def put_file(place: Path, outside: Path) -> None:
    place.write_text("mine\n")


def put_directory(place: Path, outside: Path) -> None:
    place.mkdir()


def put_link(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "passwd")


def put_dangling_link(place: Path, outside: Path) -> None:
    place.symlink_to(outside / "nothing")


def put_pipe(place: Path, outside: Path) -> None:
    os.mkfifo(place)


PUT = (put_file, put_directory, put_link, put_dangling_link, put_pipe)


@pytest.fixture
def outside(change: Change) -> Path:
    """Something beside out/ that nothing may touch; refusals compare it with the rest."""
    directory = change.path / "outside"
    (directory / "w-2").mkdir(parents=True)
    (directory / "passwd").write_text("root:x:0:0\n")
    (directory / "kcompile.json").write_bytes(change.old["kcompile.json"][2])
    grow_old(directory)
    return directory


@pytest.mark.parametrize("put", PUT, ids=lambda put: put.__name__)
def test_foreign_entry_where_a_file_must_go_is_refused(
    put: Callable[[Path, Path], None], change: Change, outside: Path
) -> None:
    (change.tree / PLACE).parent.mkdir()
    put(change.tree / PLACE, outside)
    expect_refused(change, PLACE)


@pytest.mark.parametrize("put", [p for p in PUT if p is not put_directory], ids=lambda put: put.__name__)
@pytest.mark.parametrize("place", ["hosts/w-2", "cluster/manifests/comes"])
def test_foreign_entry_where_a_directory_must_go_is_refused(
    put: Callable[[Path, Path], None], place: str, change: Change, outside: Path
) -> None:
    put(change.tree / place, outside)
    expect_refused(change, place)


def test_every_entry_that_is_in_the_way_is_named(change: Change) -> None:
    (change.tree / PLACE).parent.mkdir()
    (change.tree / PLACE).write_text("mine\n")
    (change.tree / "hosts" / "w-2").write_text("mine\n")
    expect_refused(change, PLACE, "hosts/w-2")


@pytest.mark.parametrize("put", PUT, ids=lambda put: put.__name__)
@pytest.mark.parametrize("which", ["old", "new"])
@pytest.mark.parametrize("place", ["README.md", "hosts/cp-1/rootfs/var/lib/kubelet/config.yaml"])
def test_own_file_replaced_by_something_else(
    put: Callable[[Path, Path], None], which: str, place: str, change: Change, outside: Path
) -> None:
    """Another file is an edit and overwritten; what is no file is refused, and a link never followed."""
    (change.tree / place).unlink()
    put(change.tree / place, outside)
    if put is put_file:
        run = change.build(which)
        assert (run.code, run.err) == (0, f"overwritten: out/test/{place} had been changed by hand\n")
        assert snapshot(change.tree) == getattr(change, which)
    else:
        expect_refused(change, place, which=which)


@pytest.mark.parametrize("put", [p for p in PUT if p is not put_pipe], ids=lambda put: put.__name__)
def test_manifest_replaced_by_something_else(put: Callable[[Path, Path], None], change: Change, outside: Path) -> None:
    (change.tree / "kcompile.json").unlink()
    put(change.tree / "kcompile.json", outside)
    expect_refused(change, "kcompile.json", which="old")
    expect_refused(change, *REWRITTEN)


def test_link_to_a_manifest_is_not_followed(change: Change, outside: Path) -> None:
    """Else its say would count on what is kcompile's."""
    (change.tree / "kcompile.json").unlink()
    (change.tree / "kcompile.json").symlink_to(outside / "kcompile.json")
    expect_refused(change, *REWRITTEN)


def test_pipe_in_place_of_the_manifest_is_not_read(change: Change, outside: Path) -> None:
    (change.tree / "kcompile.json").unlink()
    os.mkfifo(change.tree / "kcompile.json")
    before = stamps(change.out)
    run = change.build("old", alarm=10)
    assert (run.code, run.out, run.err) == (4, "", REFUSED.format("kcompile.json"))
    assert stamps(change.out) == before


def test_special_files_are_refused(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(change.tree / "pipe")
    monkeypatch.chdir(change.tree)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    assert stat.S_ISSOCK((change.tree / "socket").stat().st_mode)
    before = stamps(change.out)
    run = change.build("new")
    assert (run.code, run.out) == (4, "")
    assert [line.split(": ")[0] for line in run.err.splitlines() if line.startswith("out/")] == [
        "out/test/pipe:1:1",
        "out/test/socket:1:1",
    ]
    assert stamps(change.out) == before


def test_directory_with_foreign_files_becomes_a_tree(change: Change) -> None:
    shutil.rmtree(change.tree)
    change.tree.mkdir()
    (change.tree / "notes").write_text("mine\n")
    written = f"out/test: {len(files(change.old))} files written, 0 removed, 0 unchanged\n"
    expect(change.build("old"), written, "kept: out/test/notes was not written by kcompile\n")
    assert snapshot(change.tree) == change.old | {"notes": ("file", "0o644", b"mine\n")}


# --- links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["outside", "moved", "nothing", "outside/passwd", "test"])
def test_tree_that_is_a_link_is_refused(target: str, change: Change, outside: Path) -> None:
    change.tree.rename(change.path / "moved")
    change.tree.symlink_to(Path("..") / target if target != "test" else target)
    before, content = stamps(change.path), snapshot(change.path)
    run = change.build("new")
    assert (run.code, run.out) == (4, "")
    assert run.err == "out/test:1:1: is not a directory [K1003]\n   hint: remove it, or build elsewhere with --out\n"
    assert run.points == ()
    assert (stamps(change.path), snapshot(change.path)) == (before, content)


def test_tree_that_is_a_file_is_refused(change: Change) -> None:
    shutil.rmtree(change.tree)
    change.tree.write_text("mine\n")
    run = change.build("new")
    assert (run.code, run.out) == (4, "")
    assert run.err == "out/test:1:1: is not a directory [K1003]\n   hint: remove it, or build elsewhere with --out\n"
    assert change.tree.read_text() == "mine\n"


@pytest.mark.parametrize("which", ["old", "new"])
@pytest.mark.parametrize("place", ["hosts", "cluster", "hosts/cp-1", "hosts/cp-1/rootfs/etc/kubernetes/pki"])
def test_own_directory_replaced_by_a_link_is_refused(place: str, which: str, change: Change, outside: Path) -> None:
    (change.tree / place).rename(outside / "moved")
    (change.tree / place).symlink_to(outside / "moved")
    expect_refused(change, place, which=which)


def test_link_in_place_of_a_file_that_goes_is_kept(change: Change, outside: Path) -> None:
    gone = "hosts/w-1/install.sh"
    (change.tree / gone).unlink()
    (change.tree / gone).symlink_to(outside / "passwd")
    before = stamps(outside)
    expect(
        change.build("new"),
        "out/test: 26 files written, 16 removed, 51 unchanged\n",
        f"kept: out/test/{gone} was not written by kcompile\n",
    )
    assert snapshot(change.tree) == change.new | {
        "hosts/w-1": ("directory", "0o755"),
        gone: ("link", str(outside / "passwd")),
    }
    assert stamps(outside) == before


def test_link_in_place_of_a_directory_that_goes_is_not_followed(change: Change, outside: Path) -> None:
    (change.tree / "hosts" / "w-1").rename(outside / "moved")
    (change.tree / "hosts" / "w-1").symlink_to(outside / "moved")
    expect_refused(change, "hosts/w-1")


@pytest.mark.parametrize("name", [".kcompile-staging-test-0123abcd", ".kcompile-retired-test"])
def test_link_that_looks_like_a_leftover_is_not_followed(name: str, change: Change, outside: Path) -> None:
    (change.out / name).symlink_to(outside)
    before = stamps(outside)
    expect(change.build("new"), ADDED)
    assert snapshot(change.tree) == change.new
    assert stamps(outside) == before


def test_links_in_a_leftover_are_not_followed(change: Change, outside: Path) -> None:
    left = change.out / ".kcompile-staging-test-0123abcd"
    left.mkdir()
    (left / "hosts").symlink_to(outside)
    (left / "README.md").symlink_to(outside / "passwd")
    before = stamps(outside)
    expect(change.build("new"), ADDED)
    assert os.listdir(change.out) == ["test"]
    assert stamps(outside) == before


# --- changed by hand ------------------------------------------------------------------------------


def test_edited_files_are_overwritten_and_reported(change: Change) -> None:
    for path in ("README.md", "hosts/cp-1/sealed/etc/kubernetes/pki/ca.key", "cluster/kustomization.yaml"):
        (change.tree / path).write_text("edited\n")
    expect(
        change.build("new"),
        "out/test: 27 files written, 17 removed, 50 unchanged\n",
        "overwritten: out/test/README.md had been changed by hand\n"
        "overwritten: out/test/cluster/kustomization.yaml had been changed by hand\n"
        "overwritten: out/test/hosts/cp-1/sealed/etc/kubernetes/pki/ca.key had been changed by hand\n",
    )
    assert snapshot(change.tree) == change.new


def test_file_edited_to_what_comes_is_no_edit(change: Change) -> None:
    path = "cluster/kustomization.yaml"
    (change.tree / path).write_bytes(change.new[path][2])
    expect(change.build("new"), "out/test: 25 files written, 17 removed, 52 unchanged\n")
    assert snapshot(change.tree) == change.new


def test_edited_file_of_a_host_that_goes_is_reported(change: Change) -> None:
    (change.tree / "hosts" / "w-1" / "install.sh").write_text("edited\n")
    run = change.build("new")
    assert (run.code, run.out) == (0, ADDED)
    assert "out/test/hosts/w-1/install.sh" in run.err
    assert "changed by hand" in run.err
    assert len(run.err.splitlines()) == 1
    assert snapshot(change.tree) == change.new


def test_edit_does_not_reach_another_name_of_the_file(change: Change, outside: Path) -> None:
    """A file that is linked to one outside is replaced, not written into."""
    (change.tree / "README.md").unlink()
    os.link(outside / "passwd", change.tree / "README.md")
    expect(
        change.build("old"),
        "out/test: 1 file written, 0 removed, 76 unchanged\n",
        "overwritten: out/test/README.md had been changed by hand\n",
    )
    assert snapshot(change.tree) == change.old
    assert (outside / "passwd").read_text() == "root:x:0:0\n"


# --- a manifest that cannot be believed -----------------------------------------------------------


def conflict(text: str) -> str:
    first, *rest = text.splitlines(keepends=True)
    return "".join([first, "<<<<<<< HEAD\n", *rest[:3], "=======\n", *rest[:3], ">>>>>>> topic\n", *rest[3:]])


BROKEN = {
    "conflict": conflict,
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "null": lambda text: "null\n",
    "list": lambda text: "[]\n",
    "string": lambda text: '"kind"\n',
    "no-files": lambda text: '{"kind": "TreeManifest"}\n',
    "files-a-string": lambda text: '{"kind": "TreeManifest", "files": "abc"}\n',
    "files-of-null": lambda text: '{"kind": "TreeManifest", "files": [null]}\n',
    "other-kind": lambda text: text.replace("TreeManifest", "Tree"),
    "latin-1": lambda text: text.replace('"cluster": "test"', '"cluster": "t\udce9st"'),
    "deep": lambda text: "[" * 200_000,
    "lone-surrogate": lambda text: text.replace('"path": "hosts/cp-1/preflight.sh"', '"path": "\\ud800"'),
    "nul": lambda text: text.replace('"path": "hosts/cp-1/preflight.sh"', '"path": "\\u0000"'),
}


def spoil(change: Change, how: str) -> None:
    manifest = change.tree / "kcompile.json"
    text = BROKEN[how](manifest.read_text())
    manifest.write_bytes(text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("how", [how for how in BROKEN if how not in ("lone-surrogate", "nul")])
def test_broken_manifest_is_refused_and_building_anew_helps(how: str, change: Change) -> None:
    spoil(change, how)
    expect_refused(change, "kcompile.json", which="old")
    expect_refused(change, *REWRITTEN)
    shutil.rmtree(change.tree)  # as the hint says
    assert change.build("new").code == 0
    assert snapshot(change.tree) == change.new


@pytest.mark.parametrize("how", ["lone-surrogate", "nul"])
def test_manifest_with_paths_that_cannot_be(how: str, change: Change) -> None:
    """That file is not listed in it then, but equal to what comes."""
    spoil(change, how)
    expect(change.build("new"), ADDED)
    assert snapshot(change.tree) == change.new


def test_lost_manifest(change: Change) -> None:
    """What is equal is kcompile's; so is what it no longer wants, perhaps, but that is not known and so it is kept."""
    (change.tree / "kcompile.json").unlink()
    expect(change.build("old"), "out/test: 1 file written, 0 removed, 76 unchanged\n")
    assert snapshot(change.tree) == change.old
    (change.tree / "kcompile.json").unlink()
    expect_refused(change, *(path for path in REWRITTEN if path != "kcompile.json"))


@pytest.mark.parametrize("path", ["../passwd", "/../passwd", "hosts/../../passwd", "{}", ".", ""])
def test_manifest_that_claims_what_is_outside(path: str, change: Change) -> None:
    passwd = change.out / "passwd"
    passwd.write_text("root:x:0:0\n")
    grow_old(change.out)
    manifest = change.tree / "kcompile.json"
    document = json.loads(manifest.read_text())
    document["files"].append({**document["files"][0], "path": path.format(passwd)})
    manifest.write_text(json.dumps(document))
    before = stamps(passwd)
    expect(change.build("new"), ADDED)
    assert snapshot(change.tree) == change.new
    assert stamps(passwd) == before
    assert sorted(os.listdir(change.out)) == ["passwd", "test"]
