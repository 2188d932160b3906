"""Formulas as MathML, made when the site is built. A browser shows them without a foreign script or font."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

_FORMULA = re.compile(r'<(span|div) class="arithmatex">(\\\(|\\\[)(.*?)(\\\)|\\\])</\1>', re.DOTALL)
"""The output of pymdownx.arithmatex for ``$x$`` and ``$$x$$``."""

_FUNCTION = re.compile(r"(<mi>(?:log|exp)</mi>)(?!<mo)")
"""The name of a function whose argument follows without a bracket. latex2mathml puts no space between them."""


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Turn the formulas of a page into MathML. MkDocs calls this with the HTML of every page."""
    return _FORMULA.sub(lambda formula: _mathml(formula, page.file.src_uri), html)


def _mathml(formula: re.Match[str], place: str) -> str:
    latex = html.unescape(formula[3]).strip()
    is_block = formula[2] == r"\["
    try:
        mathml = convert(latex, display="block" if is_block else "inline")
    except Exception as error:  # a wrong formula can raise anything
        raise PluginError(f"{place}: the formula {latex!r} cannot be read: {error!r}") from error
    if unknown := re.search(r"\\\w+", mathml):
        raise PluginError(f"{place}: the formula {latex!r} has {unknown[0]}, which latex2mathml does not know")
    mathml = _FUNCTION.sub(r'\1<mspace width="0.17em"></mspace>', mathml)
    return f'<div class="formula">{mathml}</div>' if is_block else mathml
