"""Example systems that send to Throughline."""
