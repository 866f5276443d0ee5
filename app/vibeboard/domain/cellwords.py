"""What people read about the cells that agents and suites work in."""

from collections.abc import Mapping, Sequence

from vibeboard.domain.markdown import code, inline

_BOUNDS = {
    "memory": (
        "Something was ended because the memory of a run was used up "
        "(`VIBEBOARD_RUN_MEMORY_GB` bounds it)."
    ),
    "processes": (
        "No more processes could be started: a run may have so many "
        "(`VIBEBOARD_RUN_PROCESSES` bounds them)."
    ),
    "disk": (
        "The run was ended because it wrote more to the disk than it may "
        "(`VIBEBOARD_RUN_DISK_GB` bounds it)."
    ),
}


def within_reach(hosts: Sequence[str]) -> str:
    """What an agent is told of its network, so that it does not try in vain."""
    if not hosts:
        return "Work without the internet: what is not installed cannot be downloaded."
    return f"Of the internet, only {', '.join(hosts)} may be reached."


def sandbox_missing(why: str) -> str:
    """A cell would be weaker than it has to be."""
    return (
        f"Nothing was started, because the sandbox is required and cannot be made on "
        f"this runner: {inline(why)}. Whoever runs Vibeboard finds with "
        "`vibeboard doctor` what to do."
    )


def held_by_landlock(why: str) -> str:
    """What the weaker kind of cell does not hold."""
    return (
        "This ran in a weaker sandbox: files are held back, the network and what "
        f"other processes are called are not ({inline(why)})."
    )


def not_held(why: str) -> str:
    """There is no cell."""
    return f"This ran without a sandbox: {inline(why)}."


def network_open() -> str:
    """The hosts that a team allows are not the only ones within reach."""
    return "`network` could not be kept to: without bubblewrap every host is in reach."


def hosts_refused(refused: Mapping[str, int]) -> str:
    """Where something wanted to connect to and was not let."""
    return (
        f"The network refused {_counted(refused)}. What is needed can be named in "
        "`network` in `.vibe.yml`."
    )


def models_refused(refused: Mapping[str, int]) -> str:
    """What something asked of a model's API and was not let."""
    return f"Requests to models were refused: {_counted(refused)}."


def bound_reached(bound: str) -> str:
    """A run took as much as it may have."""
    return _BOUNDS[bound]


def took_too_much() -> str:
    """Why a run was ended that filled the disk."""
    return "it wrote more to the disk than a run may"


def _counted(refused: Mapping[str, int]) -> str:
    told = (
        f"{code(what[:200])} ({times}x)" if times > 1 else code(what[:200])
        for what, times in refused.items()
    )
    return ", ".join(told)
