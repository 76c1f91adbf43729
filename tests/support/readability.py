"""How hard a text is to read: its sentences, and the school grade of Flesch and Kincaid."""

import re

# A full stop that ends no sentence.
_ABBREVIATIONS = {"R.I.C.E.": "rice", "Dr. ": "Dr ", "O.C.": "OC"}
_END = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


def sentences(text: str) -> list[str]:
    for abbreviation, plain in _ABBREVIATIONS.items():
        text = text.replace(abbreviation, plain)
    return [sentence for sentence in _END.split(text.strip()) if _WORD.search(sentence.lower())]


def longest_sentence(text: str) -> int:
    """Return how many words the longest sentence has."""
    return max(len(sentence.split()) for sentence in sentences(text))


def grade(text: str) -> float:
    """Return after how many years of school a text is easy: 0.39 words a sentence + 11.8 syllables a word - 15.59."""
    said = sentences(text)
    words = [word for sentence in said for word in _WORD.findall(sentence.lower().replace("’", "'"))]
    return 0.39 * len(words) / len(said) + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


def _syllables(word: str) -> int:
    """Count the groups of vowels that are heard."""
    word = word.replace("'", "")
    count = len(re.findall(r"[aeiouy]+", word))
    is_silent = (
        re.search(r"[^l]e$", word)
        or re.search(r"[^td]ed$", word)
        or (word.endswith("es") and not re.search(r"([sxzcg]|ch|sh)es$", word))
    )
    return max(count - bool(is_silent), 1)
