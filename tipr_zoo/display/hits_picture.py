"""Drawing search results: a row for each sentence, with its best pictures, their ranks and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tipr_zoo.display.drawn_text import INK, PALE_INK, PAPER, break_lines
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.measuring import Outcome
from tipr_zoo.pictures.files import open_picture

_HEIGHT, _WIDTH = 256, 86
_FRAME, _GAP, _MARGIN = 5, 14, 24
_CAPTION_WIDTH = 330
_LABEL_HEIGHT = 26
_FRAMES = {True: (34, 150, 72), False: (206, 48, 48), None: (150, 156, 164)}
_MARKS = {True: "right", False: "wrong", None: ""}


RANKED_AGAIN = "ranked again by the score of the pair"
"""What stands beside the second row of a caption."""


@dataclass(frozen=True)
class PictureHit:
    """One picture of a row.

    Attributes:
        picture: Its file.
        score: Its similarity to the sentence.
        is_right: Whether it shows the person of the sentence. None where it is not known.
        rank_before: Its rank in the row above, where that shows the first stage; None where there is none.
    """

    picture: Path
    score: float
    is_right: bool | None
    rank_before: int | None = None


@dataclass(frozen=True)
class HitsRow:
    """A sentence and its best pictures, the best first.

    Attributes:
        sentence: The sentence, or what tells this row from the one above.
        hits: The pictures.
        is_remark: Whether `sentence` is a remark, such as "ranked again", and is drawn in pale ink.
    """

    sentence: str
    hits: Sequence[PictureHit]
    is_remark: bool = False


Hits = list[PictureHit]


def hits_rows(outcome: Outcome, count: int, top: int = 5) -> list[HitsRow]:
    """Return the best hits of some captions. They are at equal distances through the split, so none is picked.

    Where pictures were ranked again, each caption has a row of the first stage, and one of what was made of it.

    Args:
        outcome: An evaluation of the direction text-to-image.
        count: Number of captions.
        top: Number of pictures for each caption.

    Raises:
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f"the number of captions must be at least 1, got {count}")
    dataset = outcome.dataset
    total = len(dataset.captions)
    count = min(count, total)
    queries = [(2 * index + 1) * total // (2 * count) for index in range(count)]
    rows = []
    for query in queries:
        identity = dataset.caption_ids[query]

        def hits(found: Sequence[tuple[int, float]], before: Mapping[int, int], identity: int = identity) -> Hits:
            return [
                PictureHit(dataset.pictures[index], score, dataset.picture_ids[index] == identity, before.get(index))
                for index, score in found[:top]
            ]

        first = outcome.best_of_first_stage(query, len(dataset.pictures))
        rows.append(HitsRow(dataset.captions[query], hits(first, {})))
        if outcome.reranked is not None:
            before = {index: rank for rank, (index, _) in enumerate(first, start=1)}
            rows.append(HitsRow(RANKED_AGAIN, hits(outcome.best(query, top), before), is_remark=True))
    return rows


def draw_hits(rows: Sequence[HitsRow]) -> Image.Image:
    """Draw a row for each sentence: the sentence, then its pictures with rank and score.

    Under a picture that came from another rank, that rank stands beside the score, as in ``was 7``.

    Right pictures have a green frame and wrong ones a red one. The frame is grey where it is not known. A word under
    the frame says the same without colour.

    Args:
        rows: At least one row with at least one hit.

    Returns:
        An RGB picture.
    """
    least = _HEIGHT + 2 * _FRAME + 2 * _LABEL_HEIGHT
    sentences = [_fit(row.sentence, least) for row in rows]
    heights = [max(least, sentence.height) + _GAP for sentence in sentences]
    columns = max(len(row.hits) for row in rows)
    column_width = _WIDTH + 2 * _FRAME + _GAP
    sheet = Image.new(
        "RGB",
        (2 * _MARGIN + _CAPTION_WIDTH + _GAP + columns * column_width, 2 * _MARGIN + sum(heights)),
        PAPER,
    )
    top = _MARGIN
    for row, sentence, height in zip(rows, sentences, heights, strict=True):
        ink = PALE_INK if row.is_remark else INK
        _draw_sentence(sheet, sentence, top + (height - _GAP - sentence.height) // 2, ink)
        for rank, hit in enumerate(row.hits, start=1):
            left = _MARGIN + _CAPTION_WIDTH + _GAP + (rank - 1) * column_width
            _draw_hit(sheet, hit, rank, left, top)
        top += height
    return sheet


@dataclass(frozen=True)
class _FittedSentence:
    """A sentence, broken into lines for the column on the left."""

    lines: list[str]
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    line_height: int

    @property
    def height(self) -> int:
        return len(self.lines) * self.line_height


def _fit(sentence: str, height: int) -> _FittedSentence:
    """Return the sentence in the largest letters that fit the height, or in the smallest ones where none fit."""
    for size in range(18, 8, -1):
        font = ImageFont.load_default(size)
        fitted = _FittedSentence(
            [sentence[start:end] for start, end in break_lines(sentence, font, _CAPTION_WIDTH)], font, round(size * 1.4)
        )
        if fitted.height <= height:
            break
    return fitted


def _draw_sentence(sheet: Image.Image, sentence: _FittedSentence, top: int, ink: tuple[int, int, int]) -> None:
    """Write the lines into the column on the left."""
    draw = ImageDraw.Draw(sheet)
    for index, line in enumerate(sentence.lines):
        draw.text((_MARGIN, top + index * sentence.line_height), line, font=sentence.font, fill=ink)


def _draw_hit(sheet: Image.Image, hit: PictureHit, rank: int, left: int, top: int) -> None:
    """Paste a picture into its frame, with its rank above and its score below."""
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    draw.text((left + _FRAME, top + 3), f"{rank}", font=font, fill=INK)
    mark = _MARKS[hit.is_right]
    draw.text((left + _FRAME + _WIDTH, top + 3), mark, font=font, fill=_FRAMES[hit.is_right], anchor="ra")
    y = top + _LABEL_HEIGHT
    box = (left, y, left + _WIDTH + 2 * _FRAME, y + _HEIGHT + 2 * _FRAME)
    draw.rectangle(box, fill=_FRAMES[hit.is_right])
    picture = open_picture(hit.picture)
    picture.thumbnail((_WIDTH, _HEIGHT))
    if picture.height < _HEIGHT and picture.width < _WIDTH:
        scale = min(_HEIGHT / picture.height, _WIDTH / picture.width)
        picture = picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC
        )
    offset = ((_WIDTH - picture.width) // 2, (_HEIGHT - picture.height) // 2)
    draw.rectangle((left + _FRAME, y + _FRAME, left + _FRAME + _WIDTH - 1, y + _FRAME + _HEIGHT - 1), fill=PAPER)
    sheet.paste(picture, (left + _FRAME + offset[0], y + _FRAME + offset[1]))
    before = "" if hit.rank_before in (None, rank) else f"was {hit.rank_before}"
    score = _fitting_score(hit.score, _WIDTH - font.getlength(f" {before}"), font)
    draw.text((left + _FRAME, box[3] + 4), score, font=font, fill=PALE_INK)
    draw.text((left + _FRAME + _WIDTH, box[3] + 4), before, font=font, fill=INK, anchor="ra")


def _fitting_score(score: float, room: float, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """Write a score with as many digits as there is room for, three at most after the point."""
    texts = (f"{score:.{digits}f}" for digits in (3, 2, 1))
    return next((text for text in texts if font.getlength(text) <= room), f"{score:.0f}")
