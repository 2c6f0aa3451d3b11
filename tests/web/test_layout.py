"""Where things stand, and who can use them: no jump from the first state to any end, all of an
attempt within a small screen, and no violation that axe knows of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.web.pages import CHROMIUM, Bench, bench, clean, framing, open_page, shot, state_is

__all__ = ["bench", "clean"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
ROOT = Path(__file__).parents[2]
LANGUAGES = sorted(path.stem for path in (ROOT / "web" / "widget" / "texts").glob("*.js"))
GALLERY = (Path(__file__).parent / "gallery.js").read_text()
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
HEIGHTS = """() => {
  const tall = {};
  for (const model of gallery.models) {
    gallery.show(model);
    const height = Math.round(gallery.host.getBoundingClientRect().height);
    (tall[height] ??= []).push(JSON.stringify(model));
  }
  return tall;
}"""
INSIDE = """(name) => {
  const root = document.querySelector('face-login').shadowRoot;
  const box = root.querySelector(name).getBoundingClientRect();
  const { left, top, width, height } = box;
  return [left, top, innerWidth - box.right, innerHeight - box.bottom, width, height];
}"""
VIOLATIONS = """async () => {
  const found = {};
  // Of states that differ in words alone, one.
  const seen = new Set();
  for (const model of gallery.models) {
    const kind = [model.state, Boolean(model.hint), model.retry, Boolean(model.again_s)].join();
    if (seen.has(kind)) continue;
    seen.add(kind);
    gallery.show(model);
    const { violations } = await axe.run(gallery.host, { resultTypes: ['violations'] });
    for (const { id, nodes } of violations) found[`${kind} ${id}`] = nodes[0].html;
  }
  return { found, kinds: seen.size };
}"""


@pytest.mark.parametrize("language", LANGUAGES)
async def test_nothing_jumps_from_idle_to_any_end(bench: Bench, language: str) -> None:
    page = await open_page(bench, f"<div lang={language}></div>")
    jumps: dict[str, dict[str, list[str]]] = {}
    for width in (280, 320, 360, 400):
        for cameras in (False, True):
            given = [bench.server_url, language, width, cameras]
            assert await page.evaluate(GALLERY, given) > 100
            tall = await page.evaluate(HEIGHTS)
            if len(tall) > 1:
                jumps[f"{width} {cameras}"] = {h: ends[:2] for h, ends in tall.items()}
    assert jumps == {}


@pytest.mark.parametrize("size", [(640, 360), (844, 390), (360, 640)])
async def test_an_attempt_is_within_the_screen(bench: Bench, size: tuple[int, int]) -> None:
    bench.server.script = framing
    viewport: Any = {"width": size[0], "height": size[1]}
    above = "<p style='height:300px'>Much of a page</p>"
    tag = '<face-login purpose="login" session-url="/session"></face-login>'
    page = await open_page(bench, above + tag, viewport=viewport)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "framing")
    await shot(page, f"attempt-{size[0]}x{size[1]}")
    for name in ("video", ".says", "[part~=cancel]"):
        left, top, right, bottom, width, height = await page.evaluate(INSIDE, name)
        assert min(left, top, right, bottom) >= -0.5, name
        assert min(width, height) > 20, name
    *_, width, height = await page.evaluate(INSIDE, "video")
    assert height >= 150
    assert width / height == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("en", "light", 360), ("en", "dark", 280), ("ar", "light", 280), ("ar", "dark", 400)],
)
async def test_axe_finds_nothing(bench: Bench, language: str, scheme: str, width: int) -> None:
    body = f"<title>A page</title><main lang={language}></main>"
    page = await open_page(bench, body, color_scheme=scheme, reduced_motion="reduce")
    await page.evaluate(AXE.read_text())
    await page.evaluate(GALLERY, [bench.server_url, language, width, True])
    said = await page.evaluate(VIOLATIONS)
    assert said["found"] == {}
    assert said["kinds"] > 15
    # It bites.
    await page.evaluate("gallery.host.shadowRoot.querySelector('select').id = 'nobody'")
    assert (await page.evaluate(VIOLATIONS))["found"] != {}


STROKES = """() => {
  const stroke = (model, name) => {
    gallery.show(model);
    return getComputedStyle(gallery.host.shadowRoot.querySelector(name)).stroke;
  };
  const button = (model, name) => {
    gallery.show(model);
    const found = gallery.host.shadowRoot.querySelector(`[part~=${name}]`);
    return getComputedStyle(found).backgroundColor;
  };
  const rest = stroke({ state: 'idle' }, '.track');
  return {
    strokes: [
      rest,
      stroke({ state: 'gathering', progress: 0.5 }, '.ring'),
      stroke({ state: 'rejected', retry: true }, '.track'),
    ],
    buttons: [button({ state: 'idle' }, 'start'), button({ state: 'framing' }, 'cancel')],
  };
}"""


async def test_forced_colours_keep_what_means_something_apart(bench: Bench) -> None:
    page = await open_page(bench, "<main></main>", forced_colors="active", reduced_motion="reduce")
    await page.evaluate(GALLERY, [bench.server_url, "en", 360, False])
    said = await page.evaluate(STROKES)
    assert len(set(said["strokes"])) == 3, said
    assert len(set(said["buttons"])) == 2, said


HINTS = "['turn_left', 'turn_right', 'look_up', 'look_down', 'come_closer', null]"
SIGNS = f"""() => {HINTS}.map((hint) => {{
  gallery.show({{ state: 'framing', hint }});
  const cause = gallery.host.shadowRoot.querySelector('.says b');
  return getComputedStyle(cause, '::before').content.slice(0, 3);
}})"""


async def test_what_to_correct_has_a_sign_and_what_goes_on_has_none(bench: Bench) -> None:
    page = await open_page(bench, "<main></main>")
    await page.evaluate(GALLERY, [bench.server_url, "en", 360, False])
    assert await page.evaluate(SIGNS) == ['"←"', '"→"', '"↑"', '"↓"', '"!"', "non"]
    await page.evaluate("gallery.show({ state: 'framing', hint: 'turn_left' })")
    await shot(page, "sign-turn-left")
    told = await page.locator("[role=status]").aria_snapshot()
    assert "←" not in told


async def test_nothing_is_named_within_the_progress_bar(bench: Bench) -> None:
    bench.server.script = framing
    page = await open_page(bench)
    await page.get_by_role("button", name="Start").click()
    await state_is(page, "framing")
    tree = await page.locator("face-login").aria_snapshot()
    (line,) = [line for line in tree.splitlines() if "progressbar" in line]
    assert line.strip() in ('- progressbar "Progress"', '- progressbar "Progress": "0"')
    inside = "document.querySelector('face-login').shadowRoot.querySelector('[role=progressbar]')"
    names = "[aria-label], [aria-labelledby], [alt], title, video"
    assert await page.evaluate(f"{inside}.querySelectorAll('{names}').length") == 0
