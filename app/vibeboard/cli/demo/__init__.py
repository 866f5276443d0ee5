"""``vibeboard demo``: the main job on real parts, on this machine."""
