"""Multi-task: a row of a table in, several labels and numbers out."""
