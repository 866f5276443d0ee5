"""What stands between an agent and the world: models, and hosts that a team allows."""
