"""Engines: they run the jobs of a study and keep every finished one."""
