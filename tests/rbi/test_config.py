"""Settings: one table, four sources, and what is said of a mistake."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cost import PriceTable, TokenPrice
from models.providers.service import Service
from rbi.config import RateLimits, Settings, from_record, load, template
from rbi.errors import UsageError
from rbi.setting_values import from_text
from rbi.settings_table import BY_KEY, SETTINGS


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
    rows, _, _ = template().partition("# A server of your own")
    commented = [line.removeprefix("# ") for line in rows.splitlines()]
    values = tomllib.loads("\n".join(line for line in commented if " = " in line))
    assert list(values) == [s.key for s in SETTINGS]
    examples = {s.key for s in SETTINGS if s.example is not None}
    defaults = {k: v for k, v in values.items() if k not in examples}
    written = "\n".join(f"{k} = {v!r}" for k, v in defaults.items())
    (tmp_path / "rbi.toml").write_text(written, encoding="utf-8")
    assert load({}, folder=tmp_path, environ={}) == Settings()
    (tmp_path / "rbi.toml").write_text(template(), encoding="utf-8")
    assert load({}, folder=tmp_path, environ={}) == Settings()


def test_the_examples_of_the_template_can_be_used_as_they_stand(tmp_path: Path) -> None:
    settings, _, tables = template().partition("# A server of your own")
    examples = [s.key for s in SETTINGS if s.example is not None]
    rows = [line.removeprefix("# ") for line in settings.splitlines()]
    wanted = [row for row in rows if row.split(" = ")[0] in examples]
    wanted += [
        line.removeprefix("# ") for line in tables.splitlines() if line.startswith("# [") or " = " in line
    ]
    (tmp_path / "rbi.toml").write_text("\n".join(wanted), encoding="utf-8")
    found = load({}, folder=tmp_path, environ={})
    assert (found.budget, found.budget_per_idea, found.temperature) == (5.0, 0.25, 0.2)
    assert [service.name for service in found.providers] == ["mine"]
    assert found.limits_for("openai").max_calls == 32
    assert found.prices["mine:my-model"].cache_read_usd == Decimal("0.05")


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


# Numbers that may be left unset


def test_a_budget_is_unset_or_a_number_and_nothing_is_not_unset(tmp_path: Path) -> None:
    def budget(value: str) -> float | None:
        return load({"budget": value}, folder=tmp_path, environ={"RBI_BUDGET": "7"}).budget

    assert load({}, folder=tmp_path, environ={}).budget is None
    assert load({}, folder=tmp_path, environ={"RBI_BUDGET": ""}).budget is None
    assert (budget("0"), budget("2.50"), budget("none")) == (0.0, 2.5, None)


@given(st.text(max_size=12))
def test_no_text_becomes_a_budget_that_is_negative_or_endless(text: str) -> None:
    try:
        value = from_text(BY_KEY["budget"], text, "--budget")
    except UsageError:
        return
    assert value is None or 0 <= value < float("inf")


def test_a_number_too_large_for_the_machine_is_out_of_bounds(tmp_path: Path) -> None:
    for key in ("budget", "cash", "max_output_tokens"):
        (tmp_path / "rbi.toml").write_text(f"{key} = 1{'0' * 400}\n", encoding="utf-8")
        with pytest.raises(UsageError, match="out of bounds"):
            load({}, folder=tmp_path, environ={})


# What a batch is recorded with


def test_a_batch_recorded_before_there_were_budgets_still_matches() -> None:
    assert set(Settings().identity()) == {"model", "data", "cash", "commission", "spread", "margin"}


def test_new_settings_that_change_answers_are_part_of_a_batch_once_they_are_set() -> None:
    changed = Settings(temperature=0.0, max_output_tokens=100, code_model="claude").identity()
    assert (changed["temperature"], changed["max_output_tokens"], changed["code_model"]) == (
        0.0,
        100,
        "claude",
    )
    assert "research_model" not in changed
    assert Settings(budget=1.0, confirm_above=9.0, max_calls=3).identity() == Settings().identity()


def test_a_record_without_the_new_settings_gets_their_defaults_and_the_tables_of_today() -> None:
    old = {"cash": 5.0, "data": ["GOOG"], "max_calls": 16, "identity": {"cash": 5.0}, "unheard_of": 1}
    now = Settings(
        providers=(Service("mine", "", "MINE_BASE_URL", "http://localhost/v1", "m"),),
        limits={"mine": {"delay": 0.0}},
        prices={"mine:m": TokenPrice(Decimal(1), Decimal(2))},
    )
    found = from_record(old, {"budget": "3"}, now)
    assert (found.budget, found.temperature, found.max_calls, found.cash) == (3.0, None, 16, 5.0)
    assert (found.providers, found.limits, found.prices) == (now.providers, now.limits, now.prices)


def test_a_record_is_json_and_gives_the_same_settings_back() -> None:
    made = Settings(budget=0.0, temperature=0.5, data=("GOOG",), research_model="groq:x")
    assert from_record(json.loads(json.dumps(made.as_json())), {}, Settings()) == made


# The tables of providers, limits and prices


def loaded(folder: Path, toml: str) -> Settings:
    (folder / "rbi.toml").write_text(toml, encoding="utf-8")
    return load({}, folder=folder, environ={})


def test_a_provider_of_ones_own_needs_an_address_only(tmp_path: Path) -> None:
    found = loaded(tmp_path, '[providers.my-box]\nbase_url = "http://10.0.0.5:8000/v1"\n')
    service = found.providers[0]
    assert (service.name, service.key_variable, service.default_model) == ("my-box", "", "")
    assert (service.default_base_url, service.base_url_variable) == (
        "http://10.0.0.5:8000/v1",
        "MY_BOX_BASE_URL",
    )


def test_limits_of_a_provider_go_over_those_of_all(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "delay = 2\nrequests_per_minute = 30\n[limits.groq]\nrequests_per_minute = 10\nmax_calls = 4\n",
    )
    assert found.limits_for("groq") == RateLimits(requests_per_minute=10, max_calls=4, delay=2.0)
    assert found.limits_for("openai") == RateLimits(requests_per_minute=30, delay=2.0)


def test_another_name_of_a_provider_means_the_same_provider(tmp_path: Path) -> None:
    found = loaded(
        tmp_path, '[limits.anthropic]\ndelay = 0\n[prices."Anthropic:new"]\ninput = 1\noutput = 2.5\n'
    )
    assert found.limits_for("claude").delay == 0
    assert PriceTable(found.prices).token_price("claude", "new") == TokenPrice(Decimal(1), Decimal("2.5"))


MINE = '[providers.mine]\nbase_url = "http://localhost:1/v1"\n'


@pytest.mark.parametrize(
    ("toml", "said", "fix"),
    [
        ("[provider.x]\nbase_url = 'http://a/v1'", "provider", "did you mean providers?"),
        ("providers = 3", "table", "[providers.mine]"),
        ("[providers.x]\n", "base_url is needed", "http://"),
        ("[providers.x]\nbase_url = 'localhost:80'", "no web address", "http://"),
        ("[providers.x]\nbase_url = 8", "must be text", "base_url"),
        (MINE + "base_ulr = 'x'", "base_ulr", "did you mean base_url?"),
        (MINE + "key_variable = 'sk-123-456'", "not the name of a variable", "MINE_API_KEY"),
        (MINE + "default_model = true", "must be text", "default_model"),
        ("[providers.offline]\nbase_url = 'http://a/v1'", "offline", "another name"),
        ("[providers.'My Box']\nbase_url = 'http://a/v1'", "cannot name", "small letters"),
        ("[limits]\nmax_calls = 3", "table for each", "[limits.openai]"),
        ("[limits.opnai]\nmax_calls = 3", "opnai", "openai"),
        (
            "[limits.openai]\nrequest_per_minute = 3",
            "request_per_minute",
            "did you mean requests_per_minute?",
        ),
        ("[limits.openai]\nmax_calls = 0", "out of bounds", "from 1"),
        ("[limits.openai]\ndelay = -1", "out of bounds", "from 0"),
        ("[limits.openai]\ndelay = nan", "out of bounds", "from 0"),
        ("[limits.openai]\ntokens_per_minute = true", "wrong kind", "whole number"),
        ("[limits.openai]\ntokens_per_minute = 1.5", "wrong kind", "whole number"),
        ("[limits.claude]\ndelay = 1\n[limits.anthropic]\ndelay = 2", "claude", "one table"),
        ("[prices.openai]\ninput = 1\noutput = 1", "does not name one model", '[prices."openai:NAME"]'),
        ("[prices.openai.gpt-4]\ninput = 1\noutput = 1", "does not name one model", "in quotes"),
        ("[prices.'openai:']\ninput = 1\noutput = 1", "does not name one model", "in quotes"),
        ("[prices.'opnai:x']\ninput = 1\noutput = 1", "opnai", "openai"),
        ("[prices.'openai:x']\ninput = 1", "output missing", "per million"),
        ("[prices.'openai:x']\ninput = 1\noutpt = 1", "outpt", "did you mean output?"),
        ("[prices.'openai:x']\ninput = -1\noutput = 1", "out of bounds", "from 0"),
        ("[prices.'openai:x']\ninput = inf\noutput = 1", "out of bounds", "per million"),
        ("[prices.'openai:x']\ninput = '1'\noutput = 1", "wrong kind", "per million"),
        ("[prices.'openai:x']\ninput = false\noutput = 1", "wrong kind", "per million"),
    ],
)
def test_a_mistake_in_a_table_names_the_table_and_the_fix(
    tmp_path: Path, toml: str, said: str, fix: str
) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, toml)
    assert said in caught.value.what
    assert "rbi.toml" in caught.value.where
    assert fix in caught.value.fix


def test_a_key_written_where_its_variable_belongs_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, MINE + 'key_variable = "sk-proj-1234567890"\n')
    assert "1234567890" not in f"{caught.value.what}{caught.value.where}{caught.value.fix}"
