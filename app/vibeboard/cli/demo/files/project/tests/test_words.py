from timebox import in_words


def test_seconds_alone():
    assert in_words(45) == "45s"


def test_minutes_and_seconds():
    assert in_words(75) == "1m 15s"
