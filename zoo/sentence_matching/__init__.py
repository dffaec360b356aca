"""Two texts in: do they mean the same, does one follow, which one answers."""
