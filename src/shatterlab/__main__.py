"""`python -m shatterlab` is `shatterlab`."""

from .cli import main

if __name__ == "__main__":
    main()
