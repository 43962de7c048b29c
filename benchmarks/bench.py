"""Whole-process builds, against a floor measured in the same run. Prints medians and ratios; judges nothing.

usage: bench.py [WORKERS] [RUNS]
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyrage

import fleet

HERE = Path(__file__).parent
AIMS = {"help": 0.1, "small, cold": 0.3, "fleet, cold": 1.5, "fleet, nothing changed": 0.5}


@dataclass(frozen=True)
class Run:
    seconds: float
    peak_mib: float


def measure(command: list[str], cwd: Path, env: dict[str, str]) -> Run:
    """One run of a command, by the operating system's account of the finished process."""
    import time

    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Run(seconds, usage.ru_maxrss / scale)


def paired(
    runs: int, subject: Callable[[], Run], floor: Callable[[], Run] | None, before: Callable[[], None]
) -> tuple[list[Run], list[Run]]:
    """A warm-up, then subject and floor in turn, so that a machine that slows down slows both."""
    found: tuple[list[Run], list[Run]] = ([], [])
    for number in range(runs + 1):
        for index, command in enumerate((subject, floor)):
            if command is None:
                continue
            before()
            run = command()
            if number:
                found[index].append(run)
    return found


def report(name: str, subject: list[Run], floor: list[Run], hosts: int, beside: str = "the floor") -> None:
    seconds = statistics.median(r.seconds for r in subject)
    line = f"{name:24} {seconds:7.3f} s  {max(r.peak_mib for r in subject):6.0f} MiB"
    if name in AIMS:
        line += f"  aim {AIMS[name]:.1f} s"
    if floor:
        ratio = statistics.median(s.seconds / f.seconds for s, f in zip(subject, floor, strict=True))
        line += f"  {ratio:5.2f} x {beside} ({statistics.median(r.seconds for r in floor):.3f} s)"
    if hosts:
        line += f"  {1000 * seconds / hosts:6.2f} ms a host"
    print(line, flush=True)


def main(workers: int = 1000, runs: int = 5) -> None:
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    env = os.environ | {"SOPS_AGE_KEY": str(identity), "HOME": "/nonexistent"}
    env.pop("SOPS_AGE_KEY_FILE", None)
    kcompile = [sys.executable, "-m", "kcompile"]
    with tempfile.TemporaryDirectory(prefix="kcompile-bench-") as name:
        work = Path(name)
        print(f"median of {runs} whole-process runs, {os.cpu_count()} cores; peak memory of the largest")
        report("help", *paired(runs, lambda: measure([*kcompile, "--help"], work, env), None, lambda: None), hosts=0)
        for title, count, control_plane in (("small", 0, 1), ("fleet", workers, 3)):
            spec = work / f"{title}.yaml"
            spec.write_text(fleet.spec(title, count, recipient, control_plane=control_plane))
            measure([*kcompile, "secrets", "create", spec.name], work, env)
            measure([*kcompile, "build", spec.name], work, env)
            tree, pattern = work / "pattern", work / "out" / title
            shutil.rmtree(tree, ignore_errors=True)
            shutil.copytree(pattern, tree)
            certificates = sum(1 for _ in tree.rglob("*.crt")) + sum(1 for _ in tree.rglob("*.conf"))
            certificates -= sum(1 for _ in (tree / "hosts").glob("w-*/rootfs/etc/kubernetes/pki/ca.crt"))
            certificates -= sum(1 for _ in (tree / "hosts").glob("w-*/sealed/etc/kubernetes/*.conf"))
            target = work / "floor"

            def clear(target: Path = target, pattern: Path = pattern) -> None:
                shutil.rmtree(target, ignore_errors=True)
                shutil.rmtree(pattern, ignore_errors=True)
                os.sync()

            def build(spec: Path = spec) -> Run:
                return measure([*kcompile, "build", spec.name], work, env)

            def floor(tree: Path = tree, target: Path = target, certificates: int = certificates) -> Run:
                command = [sys.executable, str(HERE / "floor.py"), str(tree), str(target), str(certificates)]
                return measure(command, work, env)

            hosts = count + control_plane
            report(f"{title}, cold", *paired(runs, build, floor, clear), hosts=hosts)
            build()
            report(f"{title}, nothing changed", *paired(runs, build, None, lambda: None), hosts=hosts)
            keyless = {name: value for name, value in env.items() if name != "SOPS_AGE_KEY"}

            def check(spec: Path = spec, environ: dict[str, str] = keyless) -> Run:
                return measure([*kcompile, "check", spec.name], work, environ)

            def check_with_key(spec: Path = spec) -> Run:
                return measure([*kcompile, "check", spec.name], work, env)

            def diff(spec: Path = spec) -> Run:
                return measure([*kcompile, "diff", spec.name], work, env)

            for what, command in (("check", check), ("check with a key", check_with_key), ("diff", diff)):
                compared = paired(runs, command, build, lambda: None)
                report(f"{title}, {what}", *compared, hosts=hosts, beside="an unchanged build")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
