"""The element in every language: its own words, its own direction, and no byte of another one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.web.pages import CHROMIUM, GIVEN, Bench, bench, clean, open_page, shot

__all__ = ["bench", "clean"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]

TEXTS = Path(__file__).parents[2] / "web" / "widget" / "texts"
LANGUAGES = sorted(path.stem for path in TEXTS.glob("*.js"))


def _word(language: str, key: str) -> str:
    (found,) = re.findall(rf"^  {key}: '(.*)',$", (TEXTS / f"{language}.js").read_text(), re.M)
    return str(found)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_speaks_and_runs_as_its_language_does_whatever_the_page_does(
    bench: Bench, language: str
) -> None:
    ours = "rtl" if language == "ar" else "ltr"
    tag = f"<div dir={'ltr' if ours == 'rtl' else 'rtl'} lang={language}>{GIVEN}</div>"
    page = await open_page(bench, tag)
    await expect(page.get_by_text(_word(language, "state_idle"))).to_be_visible()
    button = page.get_by_role("button", name=_word(language, "button_start"))
    await expect(button).to_be_visible()
    frame = "document.querySelector('face-login').shadowRoot.querySelector('.frame')"
    assert await page.evaluate(f"getComputedStyle({frame}).direction") == ours
    loaded = await page.evaluate("performance.getEntriesByType('resource').map(r => r.name)")
    files = [re.sub(r"-[A-Z0-9]{8}\.js$", "", name.rpartition("/")[2]) for name in loaded]
    own = [] if language == "en" else [language]
    assert sorted(name for name in files if name != "favicon.ico") == sorted(
        ["face-login.js", "chunk", *own]
    )
    await shot(page, f"language-{language}")


async def test_a_language_that_cannot_be_loaded_is_english(bench: Bench) -> None:
    page = await open_page(bench, f"<div lang=en id=around>{GIVEN}</div>")
    await page.route(re.compile(r"/web/fr-"), lambda route: route.abort())
    await page.evaluate("document.querySelector('face-login').lang = 'fr'")
    await expect(page.get_by_text(_word("en", "state_idle"))).to_be_visible()
