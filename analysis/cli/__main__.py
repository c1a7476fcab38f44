"""`python -m analysis.cli`: the command line for launchers that start a module, such as torchrun."""

from analysis.cli import main

if __name__ == "__main__":
    main()
