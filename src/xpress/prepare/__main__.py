"""`python -m xpress.prepare input=FOLDER output=faces.parquet`; see `docs/data.md`."""

from xpress.cli import prepare

if __name__ == "__main__":
    prepare()
