"""Images in, a label for every pixel out."""
