"""Case 29: servers and databases die under many deliveries; all is done, and once.

`make soak` does the same with thousands, for minutes.
"""

from pathlib import Path

import pytest

from tests.faults.shaken import killed_server, on_file
from tests.faults.storm import Size, Storm
from tests.faults.worlds import make_doomed

pytestmark = pytest.mark.thorough

SHORT = Size(
    seconds=7, deliveries=300, runs=1, commands=4, pause=(1, 1.3), away=(0.2, 0.6)
)


@pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
async def test_case_29_nothing_is_lost_and_nothing_happens_twice(
    kind: str, tmp_path: Path
) -> None:
    opened = on_file(tmp_path) if kind == "sqlite" else killed_server()
    with opened as database:
        world = await make_doomed(tmp_path, database.url)
        try:
            numbers = await Storm(world, database, SHORT).rage()
        finally:
            await world.close()

    assert (numbers.lost, numbers.doubled) == ([], [])
    assert (numbers.runs, numbers.given_up) == (SHORT.runs, 0)
    assert numbers.server_kills > 0
    assert numbers.database.total() > 0
    assert world.tracebacks() == []
