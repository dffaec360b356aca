"""Two sequences compared: left with right."""
