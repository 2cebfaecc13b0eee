"""Faults on real processes: nothing acknowledged is lost, nothing is doubled, nobody has to help."""
