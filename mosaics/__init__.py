"""Associative memories, Memory Mosaics, baselines, tasks and training (needs torch)."""
