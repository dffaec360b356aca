"""Attention over a feature map: gates on its channels, places and branches."""
