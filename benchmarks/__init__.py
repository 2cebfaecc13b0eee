"""Figures and ratios; see README.md for the machine and the method."""
