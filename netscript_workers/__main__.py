"""`python -m netscript_workers` is `workers`."""

from netscript_workers.cli import main

if __name__ == "__main__":
    main()
