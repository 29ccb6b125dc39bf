"""``rbi init``: the first files of a new working folder."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from rbi.config import CONFIG_FILE, template
from rbi.prompts import SUFFIX, shipped
from rbi.results import write_atomically

ENV_EXAMPLE = """# Copy this file to .env and fill in the keys you have. rbi reads .env; it never writes it anywhere.
# OPENAI_API_KEY=
# ANTHROPIC_API_KEY=
# DEEPSEEK_API_KEY=
# GROQ_API_KEY=
# GEMINI_API_KEY=
# XAI_API_KEY=
# OPENROUTER_API_KEY=

# Another address for a provider, if you need one (each has such a variable):
# OPENAI_BASE_URL=
# ANTHROPIC_BASE_URL=
# OLLAMA_BASE_URL=
"""


def write_first_files(folder: Path, *, prompts: bool = False) -> dict[str, str]:
    """Write an ideas file, a settings file and a key example; returns each file with ``made`` or ``kept``.

    ``prompts``: the prompts, too. A file that is already there is left as it is.
    """
    contents = {
        "ideas/ideas.txt": first_ideas(),
        CONFIG_FILE: template(),
        ".env.example": ENV_EXAMPLE,
    }
    if prompts:
        contents |= {f"prompts/{stage}{SUFFIX}": text for stage, text in sorted(shipped().texts.items())}
    made = {}
    for name, content in contents.items():
        path = folder / name
        if path.exists():
            made[str(path)] = "kept"
        else:
            write_atomically(path, content)
            made[str(path)] = "made"
    return made


def first_ideas() -> str:
    """The ideas that come with rbi."""
    return resources.files("rbi").joinpath("first_ideas.txt").read_text(encoding="utf-8")
