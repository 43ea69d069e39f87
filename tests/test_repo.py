"""What must be true of the repository as a whole, read from the files that git tracks."""

import ast
import re
import string
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[1]
PACKAGES = ("attendance", "bench", "hardware", "kiosk", "provisioning", "server")
LANGUAGES = {"en", "ja", "ja_easy"}

# Python files with Japanese in a literal, and why it is data there and not a sentence for a person.
JAPANESE_DATA = {
    "attendance/kana.py": "the letters of kana in their order",
    "server/reports/write_csv.py": "signs that spreadsheets and CP932 treat in their own way",
    "server/roster/cells.py": "the range of kana, how dates are written, and the marks that part a list",
}

# Written in two pieces, so that this file does not hold what it forbids.
REGISTRY_HOSTS = [
    one + other
    for one, other in [
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("npmjs", ".org"),
        ("npmjs", ".com"),
        ("deb.debian", ".org"),
        ("security.debian", ".org"),
        ("snapshot.debian", ".org"),
        ("archive.raspberrypi", ".com"),
        ("proxy.golang", ".org"),
    ]
]

JAPANESE = re.compile(r"[\u3000-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")


def tracked(*patterns: str) -> list[Path]:
    """The tracked files that are in the work tree, by git's path patterns."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def literals(tree: ast.AST) -> Iterator[str]:
    """The string literals of a module, without its docstrings."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_no_module_is_over_500_lines() -> None:
    modules = tracked("*.py", "script/*", ".ci/*")
    assert modules
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert {module: length for module, length in lengths.items() if length > 500} == {}


def test_no_file_is_over_3_megabytes() -> None:
    sizes = {name(path): path.stat().st_size for path in tracked()}
    assert {file: size for file, size in sizes.items() if size > 3_000_000} == {}


def test_no_file_names_the_host_of_a_package_registry() -> None:
    found = {
        (name(path), host)
        for path in tracked()
        for host in REGISTRY_HOSTS
        if host.encode() in path.read_bytes().lower()
    }
    assert found == set()


def test_every_package_says_what_it_is_for() -> None:
    folders = {path.parent for package in PACKAGES for path in tracked(f"{package}/*.py")}
    assert {name(folder) for folder in folders} >= set(PACKAGES)
    silent = set()
    for folder in folders:
        marker = folder / "__init__.py"
        if not marker.is_file() or not ast.get_docstring(ast.parse(marker.read_text(encoding="utf-8"))):
            silent.add(name(folder))
    assert silent == set()


def test_sentences_for_people_are_in_catalogues_and_not_in_code() -> None:
    spoken = set()
    for path in tracked(*(f"{package}/*.py" for package in PACKAGES)):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(JAPANESE.search(text) for text in literals(tree)):
            spoken.add(name(path))
    assert spoken == set(JAPANESE_DATA)


def test_sentences_for_people_are_in_catalogues_and_not_in_templates() -> None:
    kinds = ("html", "j2", "jinja", "js", "css", "svg", "xml", "txt")
    templates = tracked(*(f"{package}/*.{kind}" for package in PACKAGES for kind in kinds))
    assert {name(path) for path in templates if JAPANESE.search(path.read_text(encoding="utf-8"))} == set()


def catalogues(domain: str) -> dict[str, Catalog]:
    folder = ROOT / domain / "locale"
    read = {}
    for path in folder.glob("*.po"):
        with path.open("rb") as po:
            read[path.stem] = read_po(po, abort_invalid=True)
    assert set(read) == LANGUAGES, f"{folder} has not exactly the languages there are"
    return read


def sentences(catalogue: Catalog) -> dict[str, Message]:
    return {
        message.id if isinstance(message.id, str) else message.id[0]: message for message in catalogue if message.id
    }


def forms(message: Message) -> tuple[str, ...]:
    text = message.string or ""
    return (text,) if isinstance(text, str) else tuple(text)


def fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("domain", ["kiosk", "provisioning", "server"])
def test_every_language_says_everything(domain: str) -> None:
    said = {language: set(sentences(catalogue)) for language, catalogue in catalogues(domain).items()}
    everything = set.union(*said.values())
    assert everything
    assert {language: everything - messages for language, messages in said.items() if everything - messages} == {}


@pytest.mark.parametrize("domain", ["kiosk", "provisioning", "server"])
def test_no_sentence_is_left_empty_or_doubtful(domain: str) -> None:
    unsaid = {
        (language, message)
        for language, catalogue in catalogues(domain).items()
        for message, entry in sentences(catalogue).items()
        if entry.fuzzy or not all(forms(entry))
    }
    assert unsaid == set()


@pytest.mark.parametrize("domain", ["kiosk", "provisioning", "server"])
def test_no_language_asks_for_a_value_that_japanese_does_not(domain: str) -> None:
    read = {language: sentences(catalogue) for language, catalogue in catalogues(domain).items()}
    unknown = {}
    for language, said in read.items():
        for message, entry in said.items():
            if message not in read["ja"]:
                continue
            given = set().union(*map(fields, forms(read["ja"][message])))
            asked = set().union(*map(fields, forms(entry)))
            if asked - given:
                unknown[language, message] = asked - given
    assert unknown == {}


def test_the_licence_is_the_one_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    heading = " ".join((ROOT / "LICENSE").read_text(encoding="utf-8").split()[:4])
    assert (project["license"], heading) == ("Apache-2.0", "Apache License Version 2.0,")


def test_every_declared_package_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    pins = [line.split("==")[0] for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()]
    names = {re.split(r"[^A-Za-z0-9_.-]", line)[0] for line in declared} - {project["name"]}
    normal = re.compile(r"[-_.]+")
    assert {normal.sub("-", each).lower() for each in names} <= {normal.sub("-", each).lower() for each in pins}


def test_scripts_can_be_run_and_parsed() -> None:
    scripts = tracked("script/*", ".ci/*")
    assert {path.name for path in scripts} >= {"setup", "test", "demo", "bench", "run"}
    for path in scripts:
        assert path.stat().st_mode & 0o111, f"{name(path)} is not executable"
        subprocess.run(["bash", "-n", path], check=True, stdin=subprocess.DEVNULL)
