"""A camera in the page that reflects the page's own colours, as a face before a screen does.

`getUserMedia` gives a canvas that plays the fake camera and mixes into it what <face-login> paints:
into the face, into the whole picture, late, of another sequence, or not at all. A page's way to
mix is a lamp: colour x strength is added to the levels inside an ellipse with soft edges. A room's
(`physical`): skin x (room + screen) in linear light.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Page

from tests.e2e.site import Heard, Site, browser, first_page, hear, until

SHIM = """
window.colors = [];
(() => {
  const plan = PLAN, real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const layer = () => document.querySelector('face-login')?.shadowRoot?.querySelector('.light');
  const ask = () => {
    const box = layer();
    const color = box && !box.hidden ? box.style.backgroundColor : '';
    const last = colors.at(-1);
    if (!last || last[1] !== color) colors.push([performance.now(), color]);
  };
  (function watch() { ask(); requestAnimationFrame(watch); })();
  const shown = (now) => {
    if (plan.replay) {
      const began = colors.find(([, color]) => color);
      if (!began) return '';
      return plan.replay.filter(([at]) => at <= now - began[0] - plan.delay_ms).at(-1)?.[1] ?? '';
    }
    return colors.filter(([at]) => at <= now - plan.delay_ms).at(-1)?.[1] ?? '';
  };
  // Linear light: levels of a channel under a room's light and a colour's, for each of 256.
  const lamps = new Map();
  const lamp = (color) => {
    if (!lamps.has(color)) lamps.set(color, color.match(/\\d+/g).slice(0, 3).map((level) => {
      const light = (level / 255) ** 2.2;
      return Float32Array.from({ length: 256 }, (_, v) =>
        v * (1 + plan.strength * light) ** (1 / 2.2) - v);
    }));
    return lamps.get(color);
  };
  const [cx, cy, rx, ry] = plan.face;
  const share = Float32Array.from({ length: 640 * 480 }, (_, k) => {
    const far = Math.hypot((k % 640 - cx) / rx, (Math.floor(k / 640) - cy) / ry);
    return plan.whole ? 1 : Math.min(1, Math.max(0, (1 - far) / .2));
  });
  const lit = Uint32Array.from(share.keys().filter((k) => share[k]));
  // Noise rounds as a sensor's does: less than a level is seen in the mean of many pixels.
  const noise = Float32Array.from({ length: 4099 }, Math.random);
  const relight = (x, color) => {
    const picture = x.getImageData(0, 0, 640, 480), data = picture.data;
    let n = Math.floor(Math.random() * 4099);
    for (const [c, more] of lamp(color).entries())
      for (let j = 0; j < lit.length; j++) {
        const k = lit[j], v = data[4 * k + c];
        n = n === 4098 ? 0 : n + 1;
        data[4 * k + c] = v + share[k] * more[v] + noise[n] - .5;  // rounded as it is stored
      }
    x.putImageData(picture, 0, 0);
  };
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const camera = await real(constraints);
    const video = document.createElement('video');
    Object.assign(video, { srcObject: camera, muted: true, playsInline: true });
    await video.play();
    const canvas = document.createElement('canvas');
    canvas.width = 640; canvas.height = 480;
    const x = canvas.getContext('2d', { alpha: false, willReadFrequently: plan.physical });
    let frozen = null;
    setInterval(() => {
      const color = shown(performance.now());
      // A canvas that is not drawn on sends nothing.
      if (frozen) return x.putImageData(frozen, 0, 0);
      x.globalCompositeOperation = 'source-over'; x.globalAlpha = 1;
      x.drawImage(video, 0, 0, 640, 480);
      if (plan.freeze && color) frozen = x.getImageData(0, 0, 640, 480);
      if (!color || !plan.strength) return;
      if (plan.physical) return relight(x, color);
      x.globalCompositeOperation = 'lighter'; x.globalAlpha = plan.strength;
      if (plan.whole) { x.fillStyle = color; x.fillRect(0, 0, 640, 480); return; }
      x.save(); x.translate(cx, cy); x.scale(rx, ry);
      const soft = x.createRadialGradient(0, 0, 0, 0, 0, 1);
      soft.addColorStop(0, color); soft.addColorStop(.8, color);
      soft.addColorStop(1, color.replace('rgb', 'rgba').replace(')', ',0)'));
      x.fillStyle = soft; x.fillRect(-1, -1, 2, 2); x.restore();
    }, 1000 / 15);
    return canvas.captureStream(30);
  };
})();
"""
ELEMENT = """
async ([server, ticket]) => {
  await import(server + '/web/face-login.js');
  const element = document.createElement('face-login');
  element.getTicket = async () => ticket;
  document.body.replaceChildren(element);
  element.start();
}
"""


@dataclass(frozen=True)
class Plan:
    """How the camera answers."""

    strength: float = 0.08
    """Share of the colour's level that is added; of the room's light, if `physical`."""
    physical: bool = False
    """Lit in linear light, as a face is, instead of mixed."""
    delay_ms: float = 0.0
    whole: bool = False
    freeze: bool = False
    replay: list[list[Any]] | None = None
    """Milliseconds since the first colour, and the colour, of an earlier answer."""
    face: tuple[float, float, float, float] = (325.0, 240.0, 120.0, 160.0)
    """Centre and half axes of the ellipse, px of 640x480."""


@dataclass(frozen=True)
class Answer:
    """What came of it."""

    kind: str
    """success, failure, error, or undecided after a window."""
    detail: dict[str, Any]
    session: dict[str, Any]
    """As GET /v1/sessions/{session} tells."""
    colors: list[list[Any]]
    """What was painted: milliseconds since the first, and the colour."""
    hints: list[Any]


ENDS = ("success", "failure", "error")


def _ended(events: Heard) -> bool:
    return any(kind in ENDS for kind, _ in events)


def _over(events: Heard) -> bool:
    """An end, or a whole window that proved nothing."""
    phases = [detail for kind, detail in events if kind == "phase"]
    again = phases.count({"phase": "framing"}) > 1 and phases[-1] == {"phase": "framing"}
    return again or _ended(events)


async def post(site: Site, **wish: Any) -> dict[str, Any]:
    """A new session of the demo client."""
    headers = {"Authorization": aiohttp.encode_basic_auth("demo", site.secret())}
    body = {"nonce": secrets.token_urlsafe(24), **wish}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{site.server}/v1/sessions", json=body, headers=headers) as response,
    ):
        said: dict[str, Any] = await response.json()
        assert response.status == 201, said
        return said


async def look_up(site: Site, session: str) -> dict[str, Any]:
    """The record of a session, for its client."""
    headers = {"Authorization": aiohttp.encode_basic_auth("demo", site.secret())}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{site.server}/v1/sessions/{session}", headers=headers) as response,
    ):
        found: dict[str, Any] = await response.json()
        return found


def row(site: Site, cue: str) -> dict[str, Any]:
    """What a cue said of the newest session, at its end; the account is not locked afterwards."""
    (database,) = [p for p in site.data.rglob("*.sqlite3") if "demo-app" not in p.name]
    with sqlite3.connect(database) as db:
        db.execute("delete from tries")  # the lockout is for attack after attack
        ((table,),) = db.execute(
            "select evidence from sessions order by created_at desc limit 1"
        ).fetchall()
    return next((row for row in json.loads(table) if row["cue"] == cue), {})


@asynccontextmanager
async def stage(camera: Path, plan: Plan, **context: Any) -> AsyncIterator[Page]:
    """A page whose camera plays `camera` and reflects by `plan`."""
    async with browser(camera) as opened:
        page = await first_page(opened)
        if context:
            await page.emulate_media(**context)
        await page.add_init_script(SHIM.replace("PLAN", json.dumps(asdict(plan))))
        yield page


async def answer(page: Page, site: Site, *, patient: bool = False, **wish: Any) -> Answer:
    """One session on this page: its first window or, if `patient`, to its end."""
    ticket = await post(site, **wish)
    ticket["server"] = site.server
    await page.goto(f"{site.app}/login")
    await page.evaluate(ELEMENT, [site.server, ticket])
    events = await hear(page, _ended if patient else _over)
    if not any(kind in ENDS for kind, _ in events):
        await page.locator("face-login button[part~=cancel]").click()  # one window is enough
        await until(site.active_none, 5)
    ended = next((event for event in events if event[0] in ENDS), ("undecided", None))
    colors = [row for row in await page.evaluate("window.colors") if row[1]]
    first = colors[0][0] if colors else 0
    return Answer(
        kind=ended[0],
        detail=dict(ended[1] or {}),
        session=await look_up(site, ticket["session"]),
        colors=[[at - first, color] for at, color in colors],
        hints=[(detail or {}).get("hint") for kind, detail in events if kind == "hint"],
    )
