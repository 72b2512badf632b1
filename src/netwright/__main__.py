"""`python -m netwright` is the command line."""

from netwright.cli import main

if __name__ == "__main__":
    main()
