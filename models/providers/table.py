"""The services that are known by name, in the order in which the default one is looked for."""

from __future__ import annotations

from types import MappingProxyType

from models.providers.service import Service

_DAY_S = 86_400.0

OPENAI = Service(
    name="openai",
    key_variable="OPENAI_API_KEY",
    base_url_variable="OPENAI_BASE_URL",
    default_base_url="https://api.openai.com/v1",
    default_model="gpt-6.1-sol",
    takes_cache_key=True,
)

CLAUDE = Service(
    name="claude",
    key_variable="ANTHROPIC_API_KEY",
    base_url_variable="ANTHROPIC_BASE_URL",
    default_base_url="https://api.anthropic.com",
    default_model="claude-sonnet-5-5",
    aliases=("anthropic",),
)

DEEPSEEK = Service(
    name="deepseek",
    key_variable="DEEPSEEK_API_KEY",
    base_url_variable="DEEPSEEK_BASE_URL",
    default_base_url="https://api.deepseek.com",
    default_model="deepseek-v4-pro",
)

GROQ = Service(
    name="groq",
    key_variable="GROQ_API_KEY",
    base_url_variable="GROQ_BASE_URL",
    default_base_url="https://api.groq.com/openai/v1",
    default_model="openai/gpt-oss-120b",
    request_period_s=_DAY_S,
)

GEMINI = Service(
    name="gemini",
    key_variable="GEMINI_API_KEY",
    base_url_variable="GEMINI_BASE_URL",
    default_base_url="https://generativelanguage.googleapis.com/v1beta/openai/",
    default_model="gemini-3.8-flash",
    other_key_variables=("GOOGLE_API_KEY",),
)

XAI = Service(
    name="xai",
    key_variable="XAI_API_KEY",
    base_url_variable="XAI_BASE_URL",
    default_base_url="https://api.x.ai/v1",
    default_model="grok-4.7",
)

OPENROUTER = Service(
    name="openrouter",
    key_variable="OPENROUTER_API_KEY",
    base_url_variable="OPENROUTER_BASE_URL",
    default_base_url="https://openrouter.ai/api/v1",
    default_model="anthropic/claude-sonnet-5.5",
    extra_body=MappingProxyType({"usage": {"include": True}}),
)

OLLAMA = Service(
    name="ollama",
    key_variable=None,
    base_url_variable="OLLAMA_BASE_URL",
    default_base_url="http://localhost:11434/v1",
    default_model="",
    bare_path="/v1",
)

OPENAI_COMPATIBLE = (OPENAI, DEEPSEEK, GROQ, GEMINI, XAI, OPENROUTER, OLLAMA)
