"""The verbs about texts that people write and read: those that go on, answer, translate, compare and find."""

from __future__ import annotations

import typer

from netsmith.cli.options import CODE, JSON, RUN

__all__ = ["chat", "generate", "search", "similar", "translate"]


def generate(
    run: str = RUN,
    prompt: str = typer.Option("", "--prompt", help="What it goes on from; nothing: the beginning of a line."),
    length: int = typer.Option(None, "--length", help="Tokens (words or characters) to write: 100.", min=1),
    count: int = typer.Option(1, "--count", help="How many texts.", min=1, max=1000),
    temperature: float = typer.Option(
        1.0, "--temperature", help="Below 1 sharper, above 1 flatter; 0 takes the likeliest.", min=0
    ),
    top_k: int = typer.Option(0, "--top-k", help="Draw from so many of the likeliest tokens; 0 for all.", min=0),
    top_p: float = typer.Option(1.0, "--top-p", help="Draw from the likeliest tokens with this share together."),
    beam: int = typer.Option(0, "--beam", help="Search with so many texts in place of drawing.", min=0, max=1000),
    penalty: float = typer.Option(0.6, "--length-penalty", help="Of a beam: how much longer texts win.", min=0),
    form: str = typer.Option("", "--form", help="Write poems: quatrain5 or quatrain7.", metavar="FORM"),
    first_line: str = typer.Option("", "--first-line", help="Of a poem: the line it begins with.", metavar="LINE"),
    hidden: str = typer.Option("", "--hidden", help="Of a poem: what its lines begin with.", metavar="WORDS"),
    seed: int = typer.Option(0, "--seed", help="The seed of the draws.", min=0),
    code: str = CODE,
    json: bool = JSON,
) -> None:
    """Let a language model go on from a prompt, or write a quatrain."""
    from netsmith.cli import generation

    choices = {"count": count, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    free = {"prompt": prompt, "length": length, "beam": beam, "penalty": penalty}
    verse = {"form": form, "first_line": first_line, "hidden": hidden}
    generation.generate(run, choices=choices, free=free, verse=verse, code=code, as_json=json)


def translate(
    run: str = RUN,
    texts: list[str] = typer.Argument(None, help="Texts to translate.", metavar="TEXT..."),
    file: str = typer.Option(
        "", "--file", help="A file with a text per line, or a table; - for stdin.", metavar="FILE"
    ),
    column: str = typer.Option("", "--column", help="The column of a table that holds the texts.", metavar="NAME"),
    encoding: str = typer.Option("utf-8", "--encoding", help="Of the file, for example cp1252 or gb18030."),
    to: str = typer.Option("", "--to", help="Of a network of several languages: the one to write.", metavar="LANG"),
    beams: int = typer.Option(None, "--beams", help="Translations the search follows; the run's own.", min=1, max=1000),
    penalty: float = typer.Option(None, "--penalty", help="How much longer translations are preferred (alpha).", min=0),
    coverage: float = typer.Option(None, "--coverage", help="What words without attention cost (beta).", min=0),
    alignments: str = typer.Option("", "--alignments", help="Write where it looked to a page.", metavar="PAGE.html"),
    code: str = CODE,
    json: bool = JSON,
) -> None:
    """Translate texts: print what the run writes for each.

    It takes any run that learned to write texts for texts.
    """
    from netsmith.cli import translation

    settings = {"to": to, "beams": beams, "penalty": penalty, "coverage": coverage}
    translation.translate(
        run,
        texts or (),
        file=file,
        column=column,
        encoding=encoding,
        settings=settings,
        alignments=alignments,
        code=code,
        as_json=json,
    )


def chat(
    run: str = RUN,
    emotion: str = typer.Option("", "--emotion", help="The mood of the answers; neutral by default.", metavar="NAME"),
    once: bool = typer.Option(False, "--once", help="Each line of stdin is a turn: print the answer to the last."),
    code: str = CODE,
) -> None:
    """Talk with a network of dialogues, line by line.

    /emotion NAME changes the mood, /new forgets what was said.
    """
    from netsmith.cli import chat as verb

    verb.chat(run, emotion=emotion, once=once, code=code)


def similar(
    run: str = RUN,
    words: list[str] = typer.Argument(None, help="Words whose vectors are added.", metavar="WORDS"),
    without: list[str] = typer.Option([], "--without", help="A word to subtract. Repeatable."),
    top: int = typer.Option(10, "--top", help="How many words.", min=1),
    save: str = typer.Option("", "--save", help="Write all vectors, in word2vec's text format.", metavar="FILE"),
    code: str = CODE,
    json: bool = JSON,
) -> None:
    """Name the words whose vectors lie near some words.

    king woman --without man completes an analogy. Any run with a vector for each word will do.
    """
    from netsmith.cli import similar as verb

    verb.similar(run, words or [], without=without, top=top, save=save, code=code, as_json=json)


def search(
    folder: str = typer.Argument(..., help="A folder of text files.", metavar="FOLDER"),
    query: str = typer.Argument(..., help="Some words."),
    method: str = typer.Option("bm25", "--method", help="bm25, or tfidf (cosine)."),
    top: int = typer.Option(10, "--top", help="How many texts at most.", min=1),
    encoding: str = typer.Option("", "--encoding", help="Of the files; by default each file's own is found."),
    model: str = typer.Option("", "--model", help="A run that ranks the method's best 100 again.", metavar="RUN"),
    code: str = CODE,
    json: bool = JSON,
) -> None:
    """Find the texts of a folder that fit some words.

    Nothing is stored: the folder is read each time.
    """
    from netsmith.cli import search as verb

    verb.search(folder, query, method=method, top=top, encoding=encoding, model=model, code=code, as_json=json)
