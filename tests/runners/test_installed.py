"""Noticing what changed in a site-packages folder."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runners.installed import digest, first_damaged


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """A folder with one installed package, as installers leave it."""
    files = {"pack/__init__.py": b"", "pack/deep/native.so": b"x" * 100, "../bin/tool": b"#!"}
    folder = tmp_path / "site-packages"
    listing = folder / "pack-1.0.dist-info" / "RECORD"
    listing.parent.mkdir(parents=True)
    rows = ["pack-1.0.dist-info/RECORD,,"]
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={hashed},{len(content)}")
    listing.write_text("\n".join(rows) + "\n")
    return folder


CHANGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda folder: (folder / "pack/deep/native.so").unlink(),
    "shorter": lambda folder: os.truncate(folder / "pack/deep/native.so", 50),
    "added": lambda folder: (folder / "sitecustomize.py").touch(),
    "renamed": lambda folder: (folder / "pack/deep").rename(folder / "pack/other"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_changes_the_digest(site_packages: Path, change: str) -> None:
    before = digest(site_packages)
    CHANGES[change](site_packages)
    assert digest(site_packages) != before


def test_bytecode_and_the_folders_own_place_do_not_change_the_digest(site_packages: Path) -> None:
    before = digest(site_packages)
    (site_packages / "pack/__pycache__").mkdir()
    (site_packages / "pack/__pycache__/x.pyc").touch()
    assert digest(site_packages.rename(site_packages.with_name("moved"))) == before


def test_what_is_as_it_was_installed_is_not_damaged(site_packages: Path) -> None:
    assert first_damaged(site_packages) is None


@pytest.mark.parametrize("name", ["pack/deep/native.so", "../bin/tool"])
@pytest.mark.parametrize("content", [b"", b"y" * 100, None])
def test_a_damaged_file_is_named(site_packages: Path, name: str, content: bytes | None) -> None:
    (site_packages / name).unlink()
    if content is not None:
        (site_packages / name).write_bytes(content)
    assert first_damaged(site_packages) == name
