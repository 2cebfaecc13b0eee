"""One thin module per client library; each imports its client and nothing of the others."""
