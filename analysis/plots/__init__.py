"""Figures: each function takes a result and draws it; none computes one."""
