"""Views of what was found, for people and for machines."""
