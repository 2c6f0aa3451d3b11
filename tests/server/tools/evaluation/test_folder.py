"""What is looked at, and what is told of the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.tools.evaluation import folder
from server.tools.evaluation.folder import EvaluationError


def _make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def test_one_folder_per_identity(tmp_path: Path) -> None:
    names = ("ann/1.jpg", "ann/deep/er/2.PNG", "bob/film.MP4", "bob/notes.txt", "top.jpg")
    found = folder.identities(_make(tmp_path, *names, "groups.csv", ".hidden/3.jpg"))
    assert [(i.name, i.label, i.still) for i in found.items] == [
        ("ann/1.jpg", "ann", True),
        ("ann/deep/er/2.PNG", "ann", True),
        ("bob/film.MP4", "bob", False),
    ]
    assert found.ignored == ("bob/notes.txt", "top.jpg")


def test_live_and_species(tmp_path: Path) -> None:
    names = ("live/a.mp4", "live/crops/x/b.jpg", "attack/print/c.jpg", "attack/mask/d/e.webm")
    other = ("attack/loose.jpg", "pairs/1.jpg", "pairs/2.jpg", "README.md")
    found = folder.presentations(_make(tmp_path, *names, *other))
    assert {(i.name, i.label) for i in found.items} == set(
        zip(names, ("live", "live", "print", "mask"), strict=True)
    )
    assert found.ignored == ("attack/loose.jpg", "README.md", "pairs/ (2 files)")


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ((), "folder_empty"),
        (("ann/notes.txt", "loose.jpg"), "folder_empty"),
        (("ann/1.jpg", "ann/2.jpg"), "one_identity"),
    ],
)
def test_folders_that_cannot_be_matched(tmp_path: Path, names: tuple[str], code: str) -> None:
    with pytest.raises(EvaluationError) as problem:
        folder.identities(_make(tmp_path, *names))
    assert problem.value.code == code
    assert problem.value.text


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ((), "folder_empty"),
        (("live/1.jpg",), "attack_missing"),
        (("attack/print/1.jpg",), "live_missing"),
    ],
)
def test_folders_without_a_side(tmp_path: Path, names: tuple[str], code: str) -> None:
    with pytest.raises(EvaluationError) as problem:
        folder.presentations(_make(tmp_path, *names))
    assert problem.value.code == code


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="folder_missing"):
        folder.identities(tmp_path / "none")


def test_films_of_screens_begin_later_as_a_species_of_their_own(tmp_path: Path) -> None:
    names = ("live/a.mp4", "attack/replay_phone/b.mp4", "attack/replay/c.jpg", "attack/print/d.mp4")
    whole = folder.presentations(_make(tmp_path, *names))
    found = folder.begun(whole, (3.0, 5.5))
    assert found.items[: len(names)] == whole.items
    assert [(i.name, i.label, i.begin_s) for i in found.items[len(names) :]] == [
        ("attack/replay_phone/b.mp4@3s", "replay_cut", 3.0),
        ("attack/replay_phone/b.mp4@5.5s", "replay_cut", 5.5),
    ]
    near = folder.framed(found, "z")
    assert {i.framing for i in near.items} == {"z"}
    assert "attack/replay_phone/b.mp4@3s@z" in {i.name for i in near.items}
    assert not any(i.still for i in near.items)
    assert folder.framed(found, "") is found
    shown = [i for i in (*found.items, *near.items) if i.path.name == "b.mp4"]
    assert len({i.key("ab" * 32) for i in shown}) == len(shown) == 6, "each has its own answer"
    assert shown[0].key("ab" * 32) == "ab" * 32


def test_the_fingerprint_is_of_names_and_contents(tmp_path: Path) -> None:
    _make(tmp_path, "a", "b")
    one = [("a", folder.digest(tmp_path / "a")), ("b", folder.digest(tmp_path / "b"))]
    assert folder.fingerprint(one) == folder.fingerprint(one[::-1])
    assert folder.fingerprint(one) != folder.fingerprint(one[:1])
    assert folder.fingerprint(one) != folder.fingerprint([("a", one[1][1]), ("b", one[0][1])])


def test_groups_by_identity_or_path(tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text("\ufeffidentity,age,glasses\nann,old,yes\nbob, young ,\n", "utf-8")
    assert folder.groups(file) == {
        "age": {"ann": "old", "bob": "young"},
        "glasses": {"ann": "yes"},
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"name,group\na,b\n",
        b"identity\na\n",
        b"identity,group\na\n",
        b"\xff\xfe\x00",
        b'path,g\n"a',
    ],
)
def test_tables_that_are_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "groups.csv"
    file.write_bytes(content)
    with pytest.raises(EvaluationError, match="groups_broken"):
        folder.groups(file)
    os.unlink(file)
    with pytest.raises(EvaluationError, match="groups_missing"):
        folder.groups(file)
