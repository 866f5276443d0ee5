"""Control groups, found in folders that look as the kernel's do."""

from pathlib import Path

import pytest

from vibeboard.runner.sandbox.groups import Bounds, Groups, find

BOUNDS = Bounds(memory=1000, processes=7, cpus=1.5)


class Kernel:
    """A folder like /sys/fs/cgroup, and a process's own groups."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "cgroup"
        self.own = folder / "own"
        self.root.mkdir()

    def version_2(self, path: str, *, given: str, passed_on: str = "") -> Path:
        (self.root / "cgroup.controllers").write_text("cpu memory pids")
        self.own.write_text(f"0::{path}\n")
        group = self.root / path.lstrip("/")
        group.mkdir(parents=True)
        (group / "cgroup.controllers").write_text(given)
        (group / "cgroup.subtree_control").write_text(passed_on)
        return group

    def find(self, *, ours: bool = True, arrange: bool = True) -> Groups | str:
        return find(self.root, self.own, ours=lambda _: ours, arrange=arrange)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_a_group_that_passes_its_controllers_on_is_where_groups_are_made(
    kernel: Kernel,
) -> None:
    group = kernel.version_2("/a/b", given="cpu memory pids", passed_on="memory pids")

    found = kernel.find()

    assert isinstance(found, Groups)
    assert found.unified
    assert set(found.bases.values()) == {group}


def test_a_leaf_of_what_is_ours_has_the_others_beside_it(kernel: Kernel) -> None:
    leaf = kernel.version_2("/a/b/leaf", given="cpu memory pids")
    (leaf.parent / "cgroup.subtree_control").write_text("cpu memory pids")

    found = kernel.find()

    assert isinstance(found, Groups)
    assert set(found.bases.values()) == {leaf.parent}


def test_who_only_looks_arranges_nothing(kernel: Kernel) -> None:
    group = kernel.version_2("/a/b", given="cpu memory pids")

    assert isinstance(kernel.find(arrange=False), Groups)
    assert not (group / "vibeboard-server").exists()


def test_a_group_that_is_not_ours_is_left_alone(kernel: Kernel) -> None:
    kernel.version_2("/a/b", given="cpu memory pids", passed_on="cpu memory pids")

    assert kernel.find(ours=False) == "no control group was delegated to the server"


def test_a_delegated_group_is_made_ready_by_moving_into_a_leaf(kernel: Kernel) -> None:
    """Only a group without processes of its own may pass controllers on."""
    group = kernel.version_2("/a/b", given="cpu memory pids")

    found = kernel.find()

    assert isinstance(found, Groups)
    assert (group / "vibeboard-server" / "cgroup.procs").exists()
    assert (group / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"


@pytest.mark.parametrize("given", ["", "cpu", "memory"])
def test_a_group_without_controllers_is_of_no_use(kernel: Kernel, given: str) -> None:
    kernel.version_2("/a/b", given=given)

    assert kernel.find() == "no control group was delegated to the server"


def test_each_controller_has_its_place_in_version_1(kernel: Kernel) -> None:
    kernel.own.write_text("3:cpu,cpuacct:/\n2:memory:/m\n1:pids:/\n0::/\n")
    for folder in ("cpu", "memory/m", "pids"):
        (kernel.root / folder).mkdir(parents=True)

    found = kernel.find()

    assert isinstance(found, Groups)
    assert found.bases == {
        "memory": kernel.root / "memory" / "m",
        "pids": kernel.root / "pids",
        "cpu": kernel.root / "cpu",
    }


def test_a_kernel_without_them_is_told(kernel: Kernel) -> None:
    kernel.own.write_text("0::/\n")

    assert "no control groups" in str(kernel.find())


def made(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.rglob("*") if file.is_file()}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def test_a_group_has_its_bounds_in_version_2(tmp_path: Path) -> None:
    group = Groups(dict.fromkeys(("memory", "pids", "cpu"), tmp_path), unified=True)

    (place,) = group.make(BOUNDS).places

    assert made(Path(place)) == {
        "memory.max": "1000",
        "memory.swap.max": "0",
        "pids.max": "7",
        "cpu.max": "150000 100000",
    }


def test_a_group_has_its_bounds_in_version_1(tmp_path: Path) -> None:
    bases = {kind: tmp_path / kind for kind in ("memory", "pids", "cpu")}
    for base in bases.values():
        base.mkdir()

    group = Groups(bases, unified=False).make(BOUNDS)

    assert len(group.places) == 3
    assert made(tmp_path) == {
        "memory.limit_in_bytes": "1000",
        "pids.max": "7",
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "150000",
    }


@pytest.mark.parametrize("unified", [True, False], ids=["version 2", "version 1"])
def test_a_group_tells_when_its_bounds_were_reached(
    tmp_path: Path, *, unified: bool
) -> None:
    group = Groups(dict.fromkeys(("memory", "pids"), tmp_path), unified).make(BOUNDS)
    untouched = group.hit

    events = "memory.events" if unified else "memory.oom_control"
    (Path(group.places[0]) / events).write_text("oom 3\noom_kill 2\n")
    (Path(group.places[0]) / "pids.events").write_text("max 4\n")

    assert untouched == ()
    assert group.hit == ("memory", "processes")


async def test_a_group_goes_and_so_do_those_of_who_was_killed(tmp_path: Path) -> None:
    of_the_dead, of_the_living = "vibeboard-999999999-1", "vibeboard-1-1"
    for name in (of_the_dead, of_the_living, "of-others"):
        (tmp_path / name).mkdir()
    groups = Groups(dict.fromkeys(("memory", "pids"), tmp_path), unified=True)
    group = groups.make(Bounds())
    empty(Path(group.places[0]))  # the kernel's files go with their folder

    groups.sweep()
    await group.close()

    assert names(tmp_path) == {of_the_living, "of-others"}
