"""Pieces of SVG, and the colours of both drawings in light and in dark surroundings."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

STYLE = """
svg { --page: #ffffff; --band: #f4f7f7; --line: #cfd8d8; --text: #1d2b2b; --quiet: #5b6b6b; --box: #ffffff;
  --edge: #9fb0b0; --promised: #00796b; --promised-box: #e3f3f0; --arrow: #54807a; --heat: 0, 121, 107; }
@media (prefers-color-scheme: dark) {
  svg { --page: #14191b; --band: #1b2224; --line: #354144; --text: #e6eeee; --quiet: #a3b3b3; --box: #20292b;
    --edge: #5a6c6e; --promised: #4fc3b0; --promised-box: #17332f; --arrow: #7db5ab; --heat: 79, 195, 176; }
}
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  fill: var(--text); }
.name { font-weight: 650; font-size: 13px; }
.says { font-size: 11px; fill: var(--quiet); }
.number { font-size: 11px; fill: var(--quiet); text-anchor: end; }
.note { font-size: 12px; fill: var(--quiet); }
.row { font-size: 11.5px; text-anchor: end; }
.column { font-size: 11.5px; }
.heat { fill: rgb(var(--heat)); }
.page { fill: var(--page); stroke: var(--line); }
.band { fill: var(--band); }
.box { fill: var(--box); stroke: var(--edge); }
.promised { fill: var(--promised-box); stroke: var(--promised); }
.arrow { fill: none; stroke: var(--arrow); stroke-width: 1.4; }
.head { fill: var(--arrow); }
"""


def element(tag: str, content: str | None = None, **attributes: str | float) -> str:
    """An element; ``class_`` stands for class, and ``_`` in a name for ``-``.

    Args:
        tag: of the element.
        content: what stands in it, already SVG or escaped; None closes the element at once.
        attributes: by name.
    """
    written = "".join(f" {name.rstrip('_').replace('_', '-')}={_value(value)}" for name, value in attributes.items())
    return f"<{tag}{written}/>" if content is None else f"<{tag}{written}>{content}</{tag}>"


def text(x: float, y: float, words: str, class_: str, **attributes: str | float) -> str:
    """A line of text that begins at a point."""
    return element("text", escape(words), x=x, y=y, class_=class_, **attributes)


def rectangle(x: float, y: float, width: float, height: float, class_: str, **attributes: str | float) -> str:
    """A rectangle by its upper left corner and its size."""
    return element("rect", None, x=x, y=y, width=width, height=height, class_=class_, **attributes)


def picture(width: float, height: float, title: str, pieces: list[str]) -> str:
    """A whole file, with a title for those who do not see it."""
    head = [element("title", escape(title), id="title"), element("style", STYLE)]
    head.append(rectangle(0.5, 0.5, width - 1, height - 1, "page", rx=10))
    return (
        element(
            "svg",
            "\n" + "\n".join(head + pieces) + "\n",
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {_number(width)} {_number(height)}",
            width=width,
            height=height,
            role="img",
            aria_labelledby="title",
        )
        + "\n"
    )


def _value(value: str | float) -> str:
    return quoteattr(value if isinstance(value, str) else _number(value))


def _number(value: float) -> str:
    return f"{round(value, 1):g}"
