"""Settings: one table, four sources, and what is said of a mistake."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rbi.config import SETTINGS, Settings, from_record, load, template
from rbi.errors import UsageError


def test_flags_win_over_the_environment_the_environment_over_dotenv_and_that_over_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "rbi.toml").write_text(
        "workers = 1\ncash = 1000\nlimit = 4\ntimeout = 60\n", encoding="utf-8"
    )
    (tmp_path / ".env").write_text("RBI_CASH=2000\nRBI_LIMIT=5\nRBI_WORKERS=2\n", encoding="utf-8")
    found = load({"workers": "4"}, folder=tmp_path, environ={"RBI_LIMIT": "6", "RBI_WORKERS": "3"})
    assert (found.timeout, found.cash, found.limit, found.workers) == (60.0, 2000.0, 6, 4)


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    assert load({}, folder=tmp_path, environ={}) == Settings()


def test_keys_in_dotenv_reach_the_models_and_never_a_record(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-secret\n", encoding="utf-8")
    found = load({}, folder=tmp_path, environ={})
    assert found.environ["OPENAI_API_KEY"] == "sk-secret"
    assert "sk-secret" not in f"{found!r}{found.as_json()}"


@pytest.mark.parametrize(
    ("toml", "said", "fix"),
    [
        ("modle = 'x'", "modle", "did you mean model?"),
        ("workers = 'many'", "wrong kind", "whole number"),
        ("workers = 2000", "out of bounds", "to 1000"),
        ("commission = -0.05", "out of bounds", "from 0"),
        ("cash = nan", "out of bounds", "from 1"),
        ("cash = true", "wrong kind", "a number"),
        ("data = 3", "list of names", "data ="),
        ("data = []", "list of names", "data ="),
        ("workers = ", "not valid TOML", "correct"),
    ],
)
def test_a_mistake_in_the_file_names_the_file_and_the_fix(
    tmp_path: Path, toml: str, said: str, fix: str
) -> None:
    (tmp_path / "rbi.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load({}, folder=tmp_path, environ={})
    assert said in caught.value.what
    assert "rbi.toml" in caught.value.where
    assert fix in caught.value.fix


@pytest.mark.parametrize("value", ["x", "-1", "1e9", "nan", "inf", ""])
def test_a_flag_that_cannot_be_meant_is_wrong_usage(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        load({"timeout": value}, folder=tmp_path, environ={})
    assert caught.value.where == "--timeout"
    assert caught.value.exit_code == 2


def test_the_template_is_toml_with_every_setting_at_its_default(tmp_path: Path) -> None:
    commented = [line.removeprefix("# ") for line in template().splitlines()]
    values = tomllib.loads("\n".join(line for line in commented if " = " in line))
    assert list(values) == [s.key for s in SETTINGS]
    (tmp_path / "rbi.toml").write_text("\n".join(f"{k} = {v!r}" for k, v in values.items()), encoding="utf-8")
    assert load({}, folder=tmp_path, environ={}) == Settings()
    (tmp_path / "rbi.toml").write_text(template(), encoding="utf-8")
    assert load({}, folder=tmp_path, environ={}) == Settings()


def test_a_recorded_batch_keeps_its_settings_but_not_its_place() -> None:
    recorded = Settings(cash=5.0, data=("EURUSD",), results="old").as_json()
    now = Settings(results="moved", environ={"A": "b"})
    found = from_record({**recorded, "identity": {}}, {"workers": "3"}, now)
    assert (found.cash, found.data, found.results, found.workers) == (5.0, ("EURUSD",), "moved", 3)
    assert found.environ == {"A": "b"}


def test_a_named_settings_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such settings file"):
        load({}, folder=tmp_path, environ={}, config=tmp_path / "other.toml")


def test_a_dotenv_that_is_no_text_is_explained(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"OPENAI_API_KEY=\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        load({}, folder=tmp_path, environ={})


def test_a_dotenv_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RBI_LIMIT=3\n", encoding="utf-8-sig")
    assert load({}, folder=tmp_path, environ={}).limit == 3
