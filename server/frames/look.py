"""How a server looks at frames: the nets verified, loaded, warmed, and given to `see`; some of them
may run elsewhere.

Not here: what is measured (pipeline/see.py), in which thread (inference.py), where the nets' files
are from (models/fetch.py). Source: docs/models.md, docs/insightface.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from models.verify import added_in, verify
from pipeline import see
from pipeline.frame import Frame
from pipeline.nets import Run
from pipeline.nets.embed import SFACE, Embedder
from pipeline.nets.insight import InsightFace
from pipeline.nets.ort import SPECS, Nets
from pipeline.nets.votes import used
from pipeline.observation import Ask, Observation
from server.frames.elsewhere import RemoteNets, TritonClient, Where

logger = logging.getLogger(__name__)


def votes(models_dir: Path) -> tuple[str, ...]:
    """Names of the nets in the folder that vote beside the pack's anti-spoof net."""
    return used(added_in(models_dir))


def load_see(
    models_dir: Path,
    embedder: Path | None = None,
    elsewhere: Where | None = None,
    tell: Callable[[str], None] = lambda outcome: None,
) -> tuple[Callable[[Frame, Ask], Observation], Embedder]:
    """Verify the nets' files, load and warm them; what embeds is SFace or the file `embedder`.
    Anti-spoof nets that were added to the folder vote as well.

    The nets of `elsewhere` are asked there once their answers have been compared with those here;
    `tell` counts what comes of it. Raises ModelError, NetUnusable, Elsewhere.
    """
    verify(models_dir)
    added = votes(models_dir)
    names = [net for net in SPECS if embedder is None or net != "embed"]
    nets = Nets(models_dir, [*names, *added])
    if added:
        logger.info("nets added", extra={"nets": ",".join(added)})
    nets.warm_up()
    run: Run = nets
    if elsewhere is not None:
        remote = RemoteNets(elsewhere, nets, TritonClient(elsewhere.address), tell=tell)
        remote.check()
        logger.info("nets elsewhere", extra={"nets": ",".join(elsewhere.nets)})
        run = remote
    chosen = SFACE
    if embedder is not None:
        run = other = InsightFace(embedder, run)
        chosen = other.embedder
        # The package guesses these from the names of the graph's nodes: let them be seen.
        logger.info(
            "another embedder",
            extra={
                "embedder": chosen.model_id,
                "dimensions": chosen.dimensions,
                "mean": other.mean,
                "std": other.std,
            },
        )

    def look(frame: Frame, ask: Ask) -> Observation:
        return see.see(frame, ask, run, added)

    return look, chosen
