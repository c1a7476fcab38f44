"""Scores, tracing, statistics, studies, figures, report and the command line."""
