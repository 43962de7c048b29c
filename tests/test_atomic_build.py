"""Writing is all or nothing: killed, interrupted, out of space, not permitted, or twice at once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import killer
from conftest import clean_environment, tool
from killer import NOBODY, Change, Run, Runner, grow_old, make_change, snapshot, stamps, without_token

KILLED = -signal.SIGKILL
PARTS = 4
"""Sweeps over all points are cut in parts, which run side by side."""


@pytest.fixture(scope="module")
def apart() -> Iterator[Runner]:
    """A runner in a mount namespace of its own, where a test may mount what it likes."""
    with killer.runner(clean_environment(), tool("unshare"), "-m" if os.geteuid() == 0 else "-rm") as made:
        yield made


def mounted(apart: Runner, directory: Path, options: str) -> Path:
    """A new file system in memory, as the runner's children and this process see it."""
    directory.mkdir(exist_ok=True)
    apart.command(tool("mount"), "-t", "tmpfs", "-o", options, "tmpfs", directory)
    return apart.root / directory.relative_to("/")


@pytest.fixture(scope="module")
def cluster(apart: Runner, tmp_path_factory: pytest.TempPathFactory) -> Change:
    return make_change(mounted(apart, tmp_path_factory.mktemp("memory"), "size=64m") / "cluster", apart)


@pytest.fixture
def change(cluster: Change) -> Change:
    cluster.restore()
    return cluster


def expect_old_or_new(change: Change, hint: object) -> str:
    """Which of the trees stands, whole."""
    found = snapshot(change.tree)
    if found == change.old:
        return "old"
    assert found == change.new, hint
    return "new"


def expect_next_run_gives_new(change: Change, hint: object, **how: object) -> None:
    done = change.build("new", **how)
    assert (done.code, done.err) == (0, ""), hint
    assert snapshot(change.tree) == change.new, hint
    assert os.listdir(change.out) == ["test"], hint


def only_line(run: Run) -> str:
    """The one line of a failure's message."""
    assert run.out == ""
    lines = run.err.splitlines()
    assert len(lines) == 1, run.err
    return without_token(lines[0])


# --- the watch itself -----------------------------------------------------------------------------


def test_every_step_of_a_write_is_a_point(change: Change) -> None:
    old, new = change.old, change.new
    files = [path for path, entry in new.items() if entry[0] == "file"]
    same = [path for path in files if old.get(path) == new[path]]
    directories = [path for path, entry in new.items() if entry[0] == "directory"]
    gone = Counter(entry[0] for entry in old.values())
    written = len(files) - len(same)
    done = change.build("new")
    assert Counter(point.split(" ")[0] for point in done.points) == {
        "mkdir": len(directories),
        "link": len(same),
        "open": written + 2,  # and the two directories that are synced
        "write": written,
        "written": written,
        "syncfs": 1,
        "renameat2": 1,
        "fsync": 1,
        "remove": gone["file"],
        "rmdir": gone["directory"],
    }
    staging = "out/.kcompile-staging-test-*"
    swap = done.at("syncfs") - 2
    assert [without_token(point) for point in done.points[swap : swap + 6]] == [
        f"open {staging}",
        "syncfs ",
        "renameat2 ",
        "open out",
        "fsync ",
        f"remove {staging}/kcompile.json.sig",
    ]
    assert (len(same), written) == (51, 26)


# --- killed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_point_the_old_tree_or_the_new_one_is_there(part: int, change: Change) -> None:
    whole = change.build("new")
    exchange = whole.at("renameat2")
    for point in range(1 + part, len(whole.points) + 1, PARTS):
        hint = (point, whole.points[point - 1])
        change.restore()
        assert change.build("new", point=point).code == KILLED, hint
        assert expect_old_or_new(change, hint) == ("old" if point <= exchange else "new"), hint
        if point // PARTS % 3 == 0 or abs(point - exchange) < 5:
            expect_next_run_gives_new(change, hint)


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_where_nothing_can_be_exchanged_the_next_run_finds_a_whole_tree(part: int, change: Change) -> None:
    whole = change.build("new", exchange=False)
    first, second = (number for number, point in enumerate(whole.points, 1) if point.startswith("rename "))
    assert second == first + 1
    points = [*range(1, first - 1, 5), *range(first - 1, second + 5), *range(second + 5, len(whole.points) + 1, 3)]
    for point in points[part::PARTS]:
        hint = (point, whole.points[point - 1])
        change.restore()
        assert change.build("new", exchange=False, point=point).code == KILLED, hint
        if point == second:  # the old tree has been moved away, the new one is not there yet
            assert not change.tree.exists()
            assert snapshot(change.out / ".kcompile-retired-test") == change.old
        else:
            assert expect_old_or_new(change, hint) == ("old" if point <= first else "new"), hint
        expect_next_run_gives_new(change, hint, exchange=False)


def test_a_tree_that_was_moved_away_is_put_back_as_it_was(change: Change) -> None:
    second = change.build("new", exchange=False).at("rename") + 1
    change.restore()
    grow_old(change.tree)
    before = stamps(change.tree)
    assert change.build("new", exchange=False, point=second).code == KILLED
    done = change.build("old", exchange=False)
    assert (done.code, done.out) == (0, f"out/test: unchanged, {files_of(change.old)} files\n")
    assert stamps(change.tree) == before
    assert os.listdir(change.out) == ["test"]


def files_of(tree: dict[str, tuple[object, ...]]) -> int:
    return sum(entry[0] == "file" for entry in tree.values())


@pytest.mark.parametrize("exchange", [True, False])
def test_killed_while_it_clears_up_after_a_killed_run(exchange: bool, change: Change) -> None:
    """The second run is killed wherever it takes away what the first one left."""
    whole = change.build("new", exchange=exchange)
    swap = whole.at("renameat2" if exchange else "rename")
    for killed_at in (swap // 2, swap, swap + 1, swap + 2, swap + 30):
        change.restore()
        assert change.build("new", exchange=exchange, point=killed_at).code == KILLED
        left = snapshot(change.out)
        clearing = change.build("new", exchange=exchange)
        last = clearing.at("mkdir") if any(p.startswith("mkdir ") for p in clearing.points) else len(clearing.points)
        for point in {1, 2, 3, *range(4, last, 17), last - 1, last}:
            hint = (killed_at, point, clearing.points[point - 1])
            killer.lay(change.out, left)
            assert change.build("new", exchange=exchange, point=point).code == KILLED, hint
            if change.tree.exists():
                expect_old_or_new(change, hint)
            else:
                assert snapshot(change.out / ".kcompile-retired-test") == change.old
                assert (exchange, killed_at, point) == (False, swap + 1, 1)
            expect_next_run_gives_new(change, hint, exchange=exchange)


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_first_build_leaves_no_tree_or_a_whole_one(part: int, change: Change) -> None:
    shutil.rmtree(change.out)
    whole = change.build("new")
    rename = whole.at("rename")
    for point in [*range(1, rename - 2, 7), *range(rename - 2, len(whole.points) + 1)][part::PARTS]:
        hint = (point, whole.points[point - 1])
        shutil.rmtree(change.out)
        assert change.build("new", point=point).code == KILLED, hint
        if point <= rename:
            assert not change.tree.exists(), hint
        else:
            assert snapshot(change.tree) == change.new, hint
        expect_next_run_gives_new(change, hint)


def test_killed_from_outside_at_random_moments(tmp_path: Path, cluster: Change) -> None:
    """The command as a user runs it, on the disk: killed within the write, as soon as its staging shows, or before."""
    change = cluster.copy(tmp_path / "cluster")
    choose = random.Random(20261124)
    states = Counter[str]()
    for round_ in range(8):
        change.restore()
        command = [sys.executable, "-m", "kcompile", "build", "new/c.yaml"]
        env = clean_environment(SOPS_AGE_KEY=change.key)
        spins = choose.randrange(0, 40 * (1 + round_))
        with subprocess.Popen(command, cwd=change.path, env=env, stdout=-3, stderr=-3) as process:
            while process.poll() is None:
                if len(os.listdir(change.out)) > 1 or not change.tree.exists():
                    for _ in range(spins):
                        os.listdir(change.out)
                    break
            process.kill()
        states[expect_old_or_new(change, round_)] += 1
        if round_ % 4 == 3:
            expect_next_run_gives_new(change, round_)
    assert states.total() == 8


@pytest.mark.parametrize("exchange", [True, False])
def test_interrupted_by_the_keyboard(exchange: bool, change: Change) -> None:
    whole = change.build("new", exchange=exchange)
    swap = whole.at("renameat2" if exchange else "rename")
    for point in [*range(1, swap - 1, 23), *range(swap - 1, swap + 4), len(whole.points)]:
        hint = (point, whole.points[point - 1])
        change.restore()
        done = change.build("new", exchange=exchange, point=point, action="interrupt")
        assert (done.code, done.out, done.err) == (130, "", "interrupted\n"), hint
        if change.tree.exists():
            which = expect_old_or_new(change, hint)
            if which == "old":
                assert os.listdir(change.out) == ["test"], hint
        else:
            assert snapshot(change.out / ".kcompile-retired-test") == change.old
        expect_next_run_gives_new(change, hint, exchange=exchange)


# --- twice at once --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mkdir", "link", "write", "syncfs", "renameat2", "fsync", "remove"])
@pytest.mark.parametrize("other", ["old", "new"])
def test_one_of_two_builds_waits_for_the_other(kind: str, other: str, change: Change) -> None:
    whole = change.build("new")
    change.restore()
    held = change.hold("new", whole.at(kind) + (kind in ("mkdir", "link", "remove")))
    assert held is not None
    second = change.build(other, frees=held)
    first = change.runner.resume(held)
    assert (first.code, first.out, first.err) == (0, whole.out, "")
    assert (second.code, second.err) == (0, "")
    assert snapshot(change.out / "test") == getattr(change, other)
    assert os.listdir(change.out) == ["test"]


@pytest.mark.parametrize("standing", [True, False])
def test_a_build_does_not_take_away_what_another_is_about_to_put_in_place(standing: bool, change: Change) -> None:
    """The second is held too, within what it would take away; the first build of all is no exception."""
    if not standing:
        shutil.rmtree(change.out)
    whole = change.build("new")
    change.restore()
    if not standing:
        shutil.rmtree(change.out)
    first = change.hold("new", whole.at("renameat2" if standing else "rename"))
    assert first is not None
    second = change.hold("new", 20, frees=first)
    done = change.runner.resume(first)
    assert expect_old_or_new(change, done) == "new"
    if second is not None:
        change.runner.resume(second)
    assert expect_old_or_new(change, done) == "new"
    expect_next_run_gives_new(change, done)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_file_that_comes_in_during_a_build_is_kept(exchange: bool, change: Change) -> None:
    whole = change.build("new", exchange=exchange)
    change.restore()
    point = whole.at("renameat2" if exchange else "rename")
    note = ["out/test/hosts/note", "keep me\n"]
    done = change.build("new", exchange=exchange, point=point, action="write", write=note)
    assert (done.code, done.out, done.err) == (0, whole.out, "")
    assert snapshot(change.tree) == change.new | {"hosts/note": ("file", "0o644", b"keep me\n")}
    assert os.listdir(change.out) == ["test"]
    done = change.build("old", exchange=exchange)
    assert (done.code, done.err) == (0, "kept: out/test/hosts/note was not written by kcompile\n")
    assert snapshot(change.tree) == change.old | {"hosts/note": ("file", "0o644", b"keep me\n")}


@pytest.mark.parametrize("exchange", [True, False])
def test_a_file_that_comes_in_where_a_new_one_goes_is_not_lost(exchange: bool, change: Change) -> None:
    """The new tree has its place, so it cannot be kept there; but it is somewhere, whatever runs next."""
    place = "out/test/hosts/w-2"  # a directory of the new tree
    whole = change.build("new", exchange=exchange)
    change.restore()
    point = whole.at("renameat2" if exchange else "rename")
    done = change.build("new", exchange=exchange, point=point, action="write", write=[place, "keep me\n"])
    assert done.code in (0, 4)
    assert snapshot(change.tree) == change.new
    change.build("old", exchange=exchange)
    change.build("new", exchange=exchange)
    kept = [path for path in change.out.rglob("*") if path.is_file() and path.read_bytes() == b"keep me\n"]
    assert len(kept) == 1


# --- no room --------------------------------------------------------------------------------------


def fill(directory: Path, free: int) -> None:
    """Fill a file system but for ``free`` bytes."""
    with (directory / "ballast").open("wb", buffering=0) as file:
        status = os.statvfs(directory)
        file.write(b"\0" * (status.f_bavail * status.f_frsize - free))
    status = os.statvfs(directory)
    assert status.f_bavail * status.f_frsize == free


@pytest.fixture(scope="module")
def small(apart: Runner, cluster: Change, tmp_path_factory: pytest.TempPathFactory) -> Change:
    """A change on a small disk of its own."""
    return cluster.copy(mounted(apart, tmp_path_factory.mktemp("small"), "size=4m") / "cluster")


PAGE = 4096


def needed(change: Change) -> int:
    """How many pages of memory the change needs beside the old tree: those of the files that it writes."""
    written = [e[2] for path, e in change.new.items() if e[0] == "file" and change.old.get(path) != e]
    return sum(-(-len(content) // PAGE) for content in written)


@pytest.mark.parametrize("lacking", [1, 2, 6, 13, 18, 20, None])
def test_full_disk(lacking: int | None, small: Change) -> None:
    small.restore()
    grow_old(small.out)
    before = stamps(small.out)
    ballast = small.path.parent / "ballast"
    fill(ballast.parent, 0 if lacking is None else (needed(small) - lacking) * PAGE)
    failed = small.build("new")
    assert failed.code == 4
    assert only_line(failed) == "out/test:1:1: cannot write out/test: No space left on device [K1002]"
    assert snapshot(small.tree) == small.old
    after = stamps(small.out)
    del before["."], after["."]  # the staging came and went in it
    assert after == before
    assert os.listdir(small.out) == ["test"]
    ballast.unlink()
    expect_next_run_gives_new(small, lacking)


def test_disk_with_just_enough_room(small: Change) -> None:
    small.restore()
    ballast = small.path.parent / "ballast"
    fill(ballast.parent, needed(small) * PAGE)
    expect_next_run_gives_new(small, "")
    ballast.unlink()


def test_full_disk_at_a_first_build(small: Change) -> None:
    shutil.rmtree(small.out)
    ballast = small.path.parent / "ballast"
    fill(ballast.parent, 9 * PAGE)
    failed = small.build("new")
    ballast.unlink()
    assert failed.code == 4
    assert only_line(failed) == "out/test:1:1: cannot write out/test: No space left on device [K1002]"
    assert os.listdir(small.out) == []
    expect_next_run_gives_new(small, "")


@pytest.mark.parametrize("free", [0, 1, 20, 60])
def test_no_inode_left(free: int, apart: Runner, change: Change, tmp_path: Path) -> None:
    full = change.copy(mounted(apart, tmp_path / "few", "size=4m,nr_inodes=400") / "cluster")
    ballast = full.path.parent / "ballast"
    ballast.mkdir()
    for number in range(os.statvfs(ballast).f_favail - free):
        (ballast / str(number)).touch()
    failed = full.build("new")
    assert failed.code == 4
    line = only_line(failed)
    assert (line.split("/")[0], line.split(": ", 1)[1]) == (
        "out",
        "cannot write out/test: No space left on device [K1002]",
    )
    assert snapshot(full.tree) == full.old
    assert os.listdir(full.out) == ["test"]
    shutil.rmtree(ballast)
    expect_next_run_gives_new(full, free)


# --- not permitted --------------------------------------------------------------------------------


@pytest.fixture
def owned(change: Change, tmp_path: Path) -> Change:
    """A change that nobody may read, and whose out/ nobody may not write."""
    copied = change.copy(tmp_path / "owned")
    copied.path.chmod(0o755)
    return copied


@pytest.mark.parametrize("forbidden", ["out", "cluster"])
def test_folder_that_may_not_be_written(forbidden: str, owned: Change) -> None:
    """Of somebody else, to whom the tree itself belongs in the second case."""
    assert os.geteuid() == 0, "the tests drop privileges: run them as root"
    if forbidden == "cluster":
        for path in (owned.tree, *owned.tree.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    grow_old(owned.out)
    before = stamps(owned.out)
    failed = owned.build("new", uid=NOBODY)
    assert failed.code == 4
    assert only_line(failed) == "out/.kcompile-staging-test-*:1:1: cannot write out/test: Permission denied [K1002]"
    assert snapshot(owned.tree) == owned.old
    assert stamps(owned.out) == before
    assert owned.build("old", uid=NOBODY).code == 0  # nothing to write
    assert stamps(owned.out) == before


def test_first_build_in_a_folder_that_may_not_be_written(owned: Change) -> None:
    shutil.rmtree(owned.out)
    failed = owned.build("new", uid=NOBODY)
    assert failed.code == 4
    assert only_line(failed) == "out:1:1: cannot write out/test: Permission denied [K1002]"
    assert not owned.out.exists()


def test_file_of_the_old_tree_that_may_not_be_read(owned: Change) -> None:
    for path in (owned.out, *owned.out.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    secret = owned.tree / "README.md"
    os.chown(secret, 0, 0)
    secret.chmod(0o600)
    before = stamps(owned.out)
    failed = owned.build("new", uid=NOBODY)
    assert failed.code == 4
    assert only_line(failed) == "out/test/README.md:1:1: cannot write out/test: Permission denied [K1002]"
    assert stamps(owned.out) == before


def test_old_directory_that_may_not_be_emptied(owned: Change) -> None:
    """What is left of the old tree must not get into the new one."""
    for path in (owned.out, *owned.out.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    (owned.tree / "hosts" / "w-1").chmod(0o555)
    done = owned.build("new", uid=NOBODY)
    assert snapshot(owned.tree) == owned.new
    assert (done.code, done.out) == (4, "")
    assert only_line(done) == (
        "out/.kcompile-staging-test-*:1:1: the new tree stands; "
        "what is left of the old one could not be removed [K1009]"
    )


def test_old_tree_of_somebody_else(owned: Change) -> None:
    """Built with sudo once, and without now."""
    os.chown(owned.out, NOBODY, NOBODY)
    grow_old(owned.tree)
    before = stamps(owned.tree)
    done = owned.build("new", uid=NOBODY)
    assert snapshot(owned.tree) == owned.new
    same = [path for path, entry in owned.new.items() if entry[0] == "file" and owned.old.get(path) == entry]
    after = stamps(owned.tree)
    assert [path for path in same if after[path][1] != before[path][1]] == []
    assert (done.code, done.out) == (4, "")
    assert only_line(done) == (
        "out/.kcompile-staging-test-*:1:1: the new tree stands; "
        "what is left of the old one could not be removed [K1009]"
    )


@pytest.mark.parametrize("what", ["out", "out/test"])
def test_read_only_file_system(what: str, apart: Runner, owned: Change) -> None:
    place = owned.path / what
    apart.command(tool("mount"), "--bind", place, place)
    apart.command(tool("mount"), "-o", "remount,ro,bind", place)
    inside = apart.root / owned.path.relative_to("/")
    before = stamps(owned.out)
    failed = killer.replace(owned, path=inside).build("new")
    assert failed.code == 4
    reason = {"out": "Read-only file system", "out/test": "Device or resource busy"}[what]
    named = {"out": "out/.kcompile-staging-test-*", "out/test": "out/test"}[what]
    assert only_line(failed) == f"{named}:1:1: cannot write out/test: {reason} [K1002]"
    apart.command(tool("umount"), place)
    assert snapshot(owned.tree) == owned.old
    assert os.listdir(owned.out) == ["test"]
    after = stamps(owned.out)
    del before["."], after["."]
    assert after == before


# --- builds that fail before they write -----------------------------------------------------------


def break_spec(change: Change) -> None:
    (change.path / "new" / "c.yaml").write_text("kind: [")


def break_field(change: Change) -> None:
    spec = change.path / "new" / "c.yaml"
    spec.write_text(spec.read_text().replace("10.0.1.2", "10.0.1.300"))


def lose_spec(change: Change) -> None:
    (change.path / "new" / "c.yaml").unlink()


def lose_secrets(change: Change) -> None:
    (change.path / "new" / "c.secrets.yaml").unlink()


def spoil_secrets(change: Change) -> None:
    secrets = change.path / "new" / "c.secrets.yaml"
    text = secrets.read_text()
    start = text.index("GCM,data:") + 9
    secrets.write_text(f"{text[:start]}{'B' if text[start] == 'A' else 'A'}{text[start + 1 :]}")


def lose_manifest(change: Change) -> None:
    (change.path / "new" / "comes" / "along.yaml").unlink()


def jump(change: Change) -> None:
    spec = change.path / "new" / "c.yaml"
    spec.write_text(spec.read_text().replace("v1.36.2", "v1.34.0"))


FAILURES = {
    break_spec: 2,
    break_field: 2,
    lose_spec: 2,
    lose_secrets: 3,
    spoil_secrets: 3,
    lose_manifest: 2,
    jump: 2,
}


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_failing_build_touches_nothing(failure: object, change: Change, tmp_path: Path) -> None:
    copied = change.copy(tmp_path / "cluster")
    failure(copied)  # type: ignore[operator]
    expect_untouched(copied, FAILURES[failure])  # type: ignore[index]


@pytest.mark.parametrize("key", ["", "another"])
def test_build_without_the_right_identity_touches_nothing(key: str, change: Change, tmp_path: Path) -> None:
    import pyrage

    copied = change.copy(tmp_path / "cluster")
    key = str(pyrage.x25519.Identity.generate()) if key else ""
    expect_untouched(killer.replace(copied, key=key), 3)


def expect_untouched(change: Change, code: int) -> None:
    grow_old(change.path)
    before = stamps(change.path)
    failed = change.build("new")
    assert (failed.code, failed.out, failed.points) == (code, "", ())
    assert "Traceback" not in failed.err
    assert "internal error" not in failed.err
    assert stamps(change.path) == before
    assert snapshot(change.tree) == change.old
