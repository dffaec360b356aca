"""Data: one file per task, public sets by name and a small one made here."""
