# ruff: noqa: E501

"""What is said of a file that is no YAML: where it went wrong, in words that are not the parser's, and the mend."""

from __future__ import annotations

import pytest

from kcompile import load
from kcompile.errors import SpecError

CASES: dict[str, tuple[bytes, str]] = {
    "utf-32-with-a-mark": (
        b"\xff\xfe\x00\x00a\x00\x00\x00:\x00\x00\x00 \x00\x00\x00b\x00\x00\x00",
        "K0103 1:1 the file is UTF-32 | save it as UTF-8",
    ),
    "utf-32-little": (
        b"a\x00\x00\x00:\x00\x00\x00 \x00\x00\x00b\x00\x00\x00",
        "K0103 1:1 the file is UTF-32 | save it as UTF-8",
    ),
    "utf-32-big": (
        b"\x00\x00\x00a\x00\x00\x00:\x00\x00\x00 \x00\x00\x00b",
        "K0103 1:1 the file is UTF-32 | save it as UTF-8",
    ),
    "utf-16": (
        b"\xff\xfea\x00:\x00 \x00b\x00",
        "K0103 1:1 the file is UTF-16 | save it as UTF-8",
    ),
    "half-a-pair": (
        b'a: "\\ud83d\\ude00"\n',
        "K0104 1:7 not valid YAML: an escape that is no character: half of a pair, or beyond U+10FFFF | write the character itself, or \\U and eight digits",
    ),
    "too-large": (
        b'a: "\\U00110000"\n',
        "K0104 1:7 not valid YAML: an escape that is no character: half of a pair, or beyond U+10FFFF | write the character itself, or \\U and eight digits",
    ),
    "unknown-escape": (
        b'a: "\\q"\n',
        "K0104 1:5 not valid YAML: an escape that YAML does not know | in double quotes write \\\\ for a backslash, or use single quotes",
    ),
    "short-escape": (
        b'a: "\\xg0"\n',
        "K0104 1:7 not valid YAML: an escape that lacks a hexadecimal digit | \\x has two digits, \\u four",
    ),
    "version": (
        b"%YAML 1.3\n---\na: b\n",
        "K0104 1:1 not valid YAML: a version of YAML that is not read | leave the line out: it is YAML 1.1",
    ),
    "version-twice": (
        b"%YAML 1.1\n%YAML 1.1\n---\na: b\n",
        "K0104 2:1 not valid YAML: the version of YAML stands twice | leave both lines out",
    ),
    "directive": (
        b"%TAGS x\n---\na: b\n",
        "K0104 1:6 not valid YAML: a directive that YAML does not know | leave the line out",
    ),
    "star": (
        b"a: *\n",
        "K0104 1:5 not valid YAML: an anchor or an alias without its name | YAML takes & and * at the beginning for these: use quotes",
    ),
    "ampersand": (
        b"a: & b\n",
        "K0104 1:5 not valid YAML: an anchor or an alias without its name | YAML takes & and * at the beginning for these: use quotes",
    ),
    "apostrophe": (
        b"a: 'it's'\n",
        "K0104 1:8 not valid YAML: text behind a quote that is closed | inside single quotes write '' for a quote, or use double quotes",
    ),
    "behind-a-quote": (
        b'a: "b" c\n',
        'K0104 1:8 not valid YAML: text behind a quote that is closed | inside double quotes write \\" for a quote',
    ),
    "bracket": (
        b"a: [b, c]]\n",
        "K0104 1:10 not valid YAML: a ']' closes what is not open | remove it",
    ),
    "brace": (
        b"a: {b: c}}\n",
        "K0104 1:10 not valid YAML: a '}' closes what is not open | remove it",
    ),
    "conflict": (
        b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> c\n",
        "K0104 2:1 not valid YAML: a mark of a merge conflict | resolve the conflict, and remove its marks",
    ),
    "conflict-within": (
        b"a:\n  b: 1\n<<<<<<< HEAD\n  c: 1\n",
        "K0104 3:1 not valid YAML: a mark of a merge conflict | resolve the conflict, and remove its marks",
    ),
    "block-header": (
        b"a: |3x\n   b\n",
        "K0104 1:6 not valid YAML: text behind | or >, whose block begins in the next line | begin the text in a line of its own",
    ),
    "tag-open": (
        b"a: !<b\n",
        "K0104 1:7 not valid YAML: a tag is opened and not closed | leave the tag out",
    ),
    "tag-handle": (
        b"a: !b!c d\n",
        "K0104 1:4 not valid YAML: a tag of which nobody has said what it means | leave the tag out",
    ),
    "behind-the-end": (
        b"a: b\n...\nc\n",
        "K0104 3:1 not valid YAML: something stands behind the document's end | keep one document in a file; what is open in a line has to be closed once",
    ),
    "nothing-in-a-flow": (
        b"a: {b, c: d, : }\n",
        "K0104 1:14 not valid YAML: nothing where a value should stand | write a value, or remove the comma",
    ),
    "document-in-a-quote": (
        b'a: "b\n---\n"\n',
        "K0104 1:4 not valid YAML: a quote is not closed before a new document begins | close the quote",
    ),
    "empty-second-document": (
        b"a: b\n---\n# c\n",
        "K0106 2:1 a second document begins here | keep one document in a file",
    ),
    "empty-first-document": (
        b"---\n# c\n---\na: b\n",
        "K0106 3:1 a second document begins here | keep one document in a file",
    ),
}


def said(content: bytes) -> str:
    with pytest.raises(SpecError) as caught:
        load.parse("f.yaml", content)
    (problem,) = caught.value.problems
    assert problem.position is not None
    return f"{problem.code} {problem.position.line}:{problem.position.column} {problem.message} | {problem.hint}"


@pytest.mark.parametrize("name", CASES)
def test_what_is_said(name: str) -> None:
    content, expected = CASES[name]
    assert said(content) == expected


def test_aliases_that_nest_too_deeply_are_met_where_they_stand() -> None:
    """Each key is well within the bound; by its alias, what it holds is not."""
    chain = "".join(f"x{n}: &x{n} {'[' * 60}{f'*x{n - 1}' if n else 1}{']' * 60}\n" for n in range(3))
    with pytest.raises(SpecError) as caught:
        load.parse("c.yaml", chain.encode())
    (problem,) = caught.value.problems
    assert problem.position is not None
    assert (problem.code, problem.position.line) == ("K0107", 2)
