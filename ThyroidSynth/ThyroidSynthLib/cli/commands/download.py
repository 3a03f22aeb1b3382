"""`thyroidsynth download`: fetch public data from Zenodo."""

from __future__ import annotations

import argparse
from pathlib import Path

from ThyroidSynthLib.cli.shared.console import Console, Result
from ThyroidSynthLib.common.wording import counted
from ThyroidSynthLib.dataset.download.records import RECORDS, ZENODO

NAME = "download"
SUMMARY = "fetch public data from Zenodo"
DESCRIPTION = """\
Download a public data set from Zenodo, compare it with the checksums of its record, and unpack it. After an
interruption the same command continues. No file in the folder is ever replaced."""
EPILOG = f"""\
data sets:
{chr(10).join(f"  {each.name:<24} {each.title} (doi:{each.doi})" for each in RECORDS.values())}

examples:
  thyroidsynth download authors --out zenodo_15100852
  thyroidsynth download totalsegmentator-subset --out totalsegmentator_subset"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser.add_argument("record", choices=tuple(RECORDS), metavar="DATA", help=f"any of {', '.join(RECORDS)}")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="new or empty folder, or that of an earlier download"
    )
    parser.add_argument(
        "--base-url", default=ZENODO, metavar="URL", help="server that speaks Zenodo's API (default: %(default)s)"
    )


def run(options: argparse.Namespace, console: Console) -> Result:
    """Run the command."""
    from ThyroidSynthLib.common.progress import stop_on_signals
    from ThyroidSynthLib.dataset.download import download, record_called

    record = record_called(options.record)
    with stop_on_signals() as stopped:
        found = download(record, options.out, progress=console.progress, should_stop=stopped, base_url=options.base_url)
    document = {
        "folder": str(found.folder),
        "doi": record.doi,
        "files": found.files,
        "received_bytes": found.received_bytes,
    }
    received = f"{found.received_bytes / 1e6:,.1f} MB received" if found.received_bytes else "nothing was missing"
    text = (
        f"{found.folder} holds {counted(found.files, 'file')} of doi:{record.doi} ({received}). {record.licence_note}"
    )
    return Result(document, text)
