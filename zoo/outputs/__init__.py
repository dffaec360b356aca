"""What goes out: each kind of answer, from what a network said to a dict."""
