"""What the GPU suite measures, one file a section; `benchmarks.gpu_suite` runs them.

A section is a generator `rows(context)` that yields one dict a measurement, ready for JSON. It imports torch, triton,
NumPy and the packages of this project alone, and goes through their public doors.
"""
