"""What every other part may use and what uses nothing of ours: errors, the actor, the clock, ids, JSON, pages."""
