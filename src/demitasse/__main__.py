"""`python -m demitasse …` is `demitasse …`."""

from .cli import main

if __name__ == "__main__":
    main()
