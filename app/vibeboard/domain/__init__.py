"""What Vibeboard means: boards, workflows, runs, decisions. No I/O, no clock."""
