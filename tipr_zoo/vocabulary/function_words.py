"""English words that say nothing of what a person looks like, as their grammar does."""

_TEXT = """
a an the this that these those there here it its he him his she her hers they them their theirs who whose which what
and or but nor so as while also too is are was were be been being am has have had having do does did can could will
would may might seems appears of in on at to from for with by into onto over under around about between through along
towards toward up down off out above below across after before during than then some any each both all other another
very quite rather just
"""

FUNCTION_WORDS = frozenset(_TEXT.split())
"""Articles, pronouns, conjunctions, prepositions and auxiliary verbs, in lower case."""
