"""The site's pages, made from what is written elsewhere in this repository."""
