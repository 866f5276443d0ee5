"""Benchmarks answer what they are asked, and end with one line for machines."""

import json

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import intake, logs, reports
from benchmarks.load import Loaded


def test_an_unknown_benchmark_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = benchmarks.main(["nonsense"])

    told = capsys.readouterr().err
    assert code == 2
    assert "no benchmark 'nonsense'" in told
    assert all(name in told for name in benchmarks.BENCHMARKS)


@pytest.mark.parametrize("name", benchmarks.BENCHMARKS)
def test_what_a_benchmark_does_not_know_is_refused(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        benchmarks.main([name, "--nonsense"])

    assert ended.value.code == 2
    assert f"benchmarks {name}: error:" in capsys.readouterr().err


@pytest.mark.parametrize("rounds", ["0", "many", "-1"])
def test_a_number_that_makes_no_sense_is_refused(
    rounds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        benchmarks.main(["logs", "--rounds", rounds])

    assert ended.value.code == 2
    assert "--rounds" in capsys.readouterr().err


def test_the_last_line_is_an_object_of_ratios(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = logs.main(["--lines", "200", "--rounds", "1"])

    *table, last = capsys.readouterr().out.splitlines()
    assert code == 0
    assert table[0].startswith("kept how")
    ratios = json.loads(last)
    assert set(ratios) == {"log_vs_drop", "log_vs_row_a_line", "log_vs_batched_rows"}
    assert all(ratio > 0 for ratio in ratios.values())


def test_readers_of_reports_find_the_same_cases(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = reports.main(["--cases", "2000", "--rounds", "1"])

    *table, last = capsys.readouterr().out.splitlines()
    assert code == 0
    assert table[1].startswith("ours")
    ratios = json.loads(last)
    assert {"time_vs_junitparser", "memory_vs_lxml_freed"} <= set(ratios)


def test_intake_is_compared_by_the_medians_of_its_rounds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    speeds = {"probot": 1_000.0, "limit": 2_000.0, "sqlite": 1_500.0, "postgres": 1.0}
    intake.show(
        {
            (name, connections): [
                Loaded(speed * much, p50=1, p99=speed / 100, answers=1, wrong=0)
                for much in (0.1, 1, 9)
            ]
            for name, speed in speeds.items()
            for connections in (16, 64)
        }
    )

    ratios = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert ratios["sqlite_vs_probot_c16"] == 1.5
    assert ratios["sqlite_vs_limit_c64"] == 0.75
    assert ratios["sqlite_p99_vs_probot_c64"] == 1.5
