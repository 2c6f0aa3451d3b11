"""Clips: the pictures of a video or still file with their times, and ready for an encoder.

Not here: to the pipeline's Frame (server/frames/convert.py), writing a film (film.py), encoded
frames (server/tools/caller/rtc_caller.py). Source: FFmpeg, by PyAV.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray

from pipeline.refusal import Refusal
from server.frames.convert import fit
from server.frames.orientation import orientation
from server.tools import picture_size
from server.tools.file_kinds import is_animated_webp, tiff_pages

MOST_OBLONG = 4
"""Width of a pixel over its height, or the other way round: anamorphic film has 2, DV 1.5."""

OPENING = {"codec_whitelist": "none", "protocol_whitelist": "none"}
"""Else FFmpeg decodes while it opens a file, to learn what the file does not say in its head, and a
playlist (HLS, SDP) reaches into the network."""
LYING = ("h264", "hevc", "vp8")
"""Codecs whose sizes are looked at packet by packet (picture_size.py)."""

Timed = tuple[float, av.VideoFrame]
"""A picture and its time, seconds from 0."""


class MediaError(Refusal):
    """A file cannot be played. `code` is stable, `text` is for people."""


def read_clip(
    path: Path | str,
    *,
    fps: float | None = None,
    max_s: float | None = None,
) -> Iterator[Timed]:
    """Pictures of a video or still image file with their time in seconds, the first at 0.

    `fps` thins out to at most that many a second and never repeats a picture, `max_s` ends early.
    Pictures are upright, and their pixels are square. A file is shown whole, or refused by a code
    that names what cannot be read. Raises MediaError (media_missing, media_unreadable,
    media_no_video, media_broken, media_too_large, media_animated_webp, media_pages, media_parts,
    media_tilted, media_pixel_shape) at the first picture that is asked for.
    """
    file = Path(path)
    if not file.is_file():
        raise MediaError("media_missing", f"there is no video file {file}")
    with contextlib.ExitStack() as stack:
        try:
            # An open file, not its name: a name may say a protocol that reaches the network.
            opened = stack.enter_context(file.open("rb"))
            container = stack.enter_context(av.open(opened, mode="r", options=OPENING))
        except (av.FFmpegError, OSError, ValueError) as fault:
            raise MediaError(
                "media_unreadable", f"the file {file} is no video that we can read"
            ) from fault
        stream = _stream(container)
        still = container.format.name == "image2" or container.format.name.endswith("_pipe")
        if still:
            _whole(file)
            _bounded(picture_size.of_still(file))
        options = {"max_pixels": str(picture_size.MAX_PIXELS)}
        if stream.codec_context.name == "mjpeg" and still:
            # Else FFmpeg fills up with grey what is missing of a JPEG, and says nothing.
            options["err_detect"] = "explode"
        stream.codec_context.options = options
        stream.thread_type = "NONE"
        pictures = 0
        try:
            for time_s, picture in _thin(_decoded(container, stream), fps, max_s):
                pictures += 1
                yield time_s, _square(_upright(picture), _aspect(stream, still=still))
        except av.FFmpegError as fault:
            raise MediaError("media_broken", "the video breaks off or is damaged") from fault
        if pictures == 0:
            raise MediaError("media_no_video", "the file has no picture")


def resize(vf: av.VideoFrame, max_side: int) -> av.VideoFrame:
    """The picture as yuv420p with even sides, at most `max_side` long, for an encoder."""
    width, height = fit(vf.width, vf.height, max_side)
    width, height = max(2, width & ~1), max(2, height & ~1)
    return vf.reformat(width, height, "yuv420p", interpolation="AREA", threads=1)


def _thin(
    pictures: Iterator[av.VideoFrame], fps: float | None, max_s: float | None
) -> Iterator[Timed]:
    first_s: float | None = None
    last_s, due_s = -1.0, 0.0
    for picture in pictures:
        stamp_s = picture.time if picture.pts is not None else last_s + 1 / 30
        first_s = stamp_s if first_s is None else first_s
        time_s = stamp_s - first_s
        if time_s <= last_s:
            continue  # a damaged index must not run time backwards
        last_s = time_s
        if max_s is not None and time_s > max_s:
            return
        if fps is not None:
            if time_s < due_s - 0.25 / fps:
                continue
            due_s = max(due_s + 1 / fps, time_s)
        yield time_s, picture


def _decoded(container: InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Every picture, after a look at its size. Raises MediaError and FFmpegError."""
    context = stream.codec_context
    box = context.extradata or b""
    _bounded((context.width, context.height))
    _all_bounded(picture_size.of_box(context.name, box))
    for packet in container.demux(stream):
        if context.name in LYING:
            _all_bounded(picture_size.of_packet(context.name, box, bytes(packet)))
        yield from packet.decode()
        # What is not known to lie may do so once.
        _bounded((context.coded_width, context.coded_height))


def _all_bounded(sizes: Iterator[picture_size.Size | None]) -> None:
    for size in sizes:
        if size is None:
            raise MediaError("media_broken", "the video breaks off or is damaged")
        _bounded(size)


def _bounded(size: picture_size.Size | None) -> None:
    if size is not None and picture_size.too_large(size):
        most = picture_size.MAX_PIXELS // 1_000_000
        raise MediaError("media_too_large", f"the picture has more than {most} million pixels")


def _stream(container: InputContainer) -> av.VideoStream:
    """The one video of a file. A cover is no video; tiles of a picture (HEIF) and an animation
    beside its first picture (AVIF) are several."""
    cover = Disposition.attached_pic
    videos = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not videos:
        raise MediaError("media_no_video", "the file has no video")
    if len(videos) > 1:
        text = (
            "the file has several pictures or videos side by side, of which only one can be shown"
        )
        raise MediaError("media_parts", text)
    return videos[0]


def _whole(file: Path) -> None:
    """What FFmpeg would leave out of a picture's file, or call damaged. Raises MediaError."""
    if is_animated_webp(file):
        raise MediaError("media_animated_webp", "animated WebP cannot be read: make it a film")
    if tiff_pages(file) > 1:
        raise MediaError("media_pages", "the file has several pages: save each as a file")


def _aspect(stream: av.VideoStream, *, still: bool) -> Fraction:
    """Width of a pixel over its height."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    if aspect == 1 or aspect <= 0:
        return Fraction(1)
    # A photograph's resolution, 200 by 100 dots an inch, is a shape that programs read either way.
    if still or not Fraction(1, MOST_OBLONG) <= aspect <= MOST_OBLONG:
        raise MediaError("media_pixel_shape", "the picture's pixels are of an unclear shape")
    return aspect


def _upright(picture: av.VideoFrame) -> tuple[av.VideoFrame, bool]:
    """The picture upright, and whether its sides were swapped."""
    way = orientation(picture)
    if not way.exact:
        raise MediaError("media_tilted", "the file turns its pictures by no quarter of a turn")
    if way.upright:
        return picture, False
    flat: NDArray[np.uint8] = np.asarray(picture.to_ndarray(format="bgr24"), dtype=np.uint8)
    upright = av.VideoFrame.from_ndarray(np.ascontiguousarray(way.turned(flat)), format="bgr24")
    upright.pts, upright.time_base = picture.pts, picture.time_base
    return upright, way.swapped


def _square(seen: tuple[av.VideoFrame, bool], aspect: Fraction) -> av.VideoFrame:
    """With square pixels: one side grows, so that nothing is lost."""
    picture, swapped = seen
    if aspect == 1:
        return picture
    wide = float(1 / aspect if swapped else aspect)
    width, height = picture.width * max(wide, 1.0), picture.height * max(1.0 / wide, 1.0)
    return picture.reformat(round(width), round(height), threads=1)
