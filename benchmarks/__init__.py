"""Measurements of the speed and the quality of Fulcrum, which never imports this package."""
