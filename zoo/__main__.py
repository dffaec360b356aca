"""`python -m zoo`: the command, where no script is on the path."""

from zoo.cli import main

if __name__ == "__main__":
    main()
