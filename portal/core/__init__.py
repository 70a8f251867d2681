"""What every other part may use and what uses nothing of ours: errors, actor, clock, ids, JSON, pages, texts."""
