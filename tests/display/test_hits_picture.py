"""The drawing of hits: frames, rows and the column of sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw

from tipr_zoo.display.hits_picture import HitsRow, PictureHit, draw_hits


class TestHitsPicture:
    @pytest.fixture
    def hit(self, tmp_path: Path) -> Any:
        Image.new("RGB", (50, 150), (10, 20, 200)).save(tmp_path / "one.png")
        return lambda is_right: PictureHit(tmp_path / "one.png", 0.5, is_right)

    def test_right_hits_are_framed_green_and_wrong_ones_red(self, hit: Any) -> None:
        sheet = draw_hits([HitsRow("a man", [hit(True), hit(False), hit(None)])])
        colours = {colour for _, colour in sheet.getcolors(maxcolors=1 << 24)}
        assert {(34, 150, 72), (206, 48, 48), (150, 156, 164), (10, 20, 200)} <= colours

    def test_rows_stand_one_below_the_other(self, hit: Any) -> None:
        one, two = (draw_hits([HitsRow("a man", [hit(True)])] * count).size for count in (1, 2))
        assert one[0] == two[0]
        assert one[1] < two[1] < 2 * one[1]

    @pytest.mark.parametrize("sentence", ["a man in a red jacket " * 100, "a" * 400], ids=["500 words", "one word"])
    def test_a_sentence_of_any_length_stays_in_its_column(self, hit: Any, sentence: str) -> None:
        """Paper all around, and between the sentence and the pictures."""
        sheet = draw_hits([HitsRow(sentence, [hit(True)])])
        ink = sheet.convert("L").point(lambda value: 255 if value < 250 else 0)
        left, top, right, bottom = ink.getbbox()
        assert left >= 20
        assert top >= 20
        assert right <= sheet.width - 20
        assert bottom <= sheet.height - 20
        assert ink.crop((24 + 330 + 1, 0, 24 + 330 + 13, sheet.height)).getbbox() is None

    def test_what_was_ranked_again_says_its_rank_before(self, hit: Any) -> None:
        before = HitsRow("a man", [hit(None), hit(None)])
        moved = [replace(hit(None), rank_before=rank) for rank in (2, 1)]
        unmoved = [replace(hit(None), rank_before=rank) for rank in (1, 2)]
        plain, told, same = (
            draw_hits([before, HitsRow("ranked again", hits, is_remark=True)]) for hits in (before.hits, moved, unmoved)
        )
        assert plain.tobytes() == same.tobytes()
        assert plain.size == told.size
        changed = ImageChops.difference(plain, told).getbbox()
        assert changed is not None
        assert plain.height - 24 - 40 < changed[1] < changed[3] <= plain.height - 24  # beside the score

    @pytest.mark.parametrize("before", [12, 128, 800])
    @pytest.mark.parametrize("score", [-0.217, -12.345, 0.5])
    def test_the_score_and_the_rank_before_stand_apart(
        self, hit: Any, score: float, before: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        boxes = []
        draw_text = ImageDraw.ImageDraw.text

        def note(self: ImageDraw.ImageDraw, place: tuple[float, float], text: str, **how: Any) -> None:
            boxes.append((text, self.textbbox(place, text, font=how["font"], anchor=how.get("anchor"))))
            draw_text(self, place, text, **how)

        monkeypatch.setattr(ImageDraw.ImageDraw, "text", note)
        draw_hits([HitsRow("a man", [replace(hit(None), score=score, rank_before=before)])])
        (was,) = [box for text, box in boxes if text == f"was {before}"]
        (below,) = [box for text, box in boxes if text.startswith(f"{score:.0f}") and box[1] > 100]
        assert below[2] < was[0]
