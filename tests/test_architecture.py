"""The house: imports only point down, and a few rules that a reader would otherwise have to trust."""

import ast
import warnings
from pathlib import Path

import pytest

import netsmith

ROOT = Path(netsmith.__path__[0])
FILES = sorted(ROOT.rglob("*.py"))
LEVELS = {
    "cli": 6,
    **dict.fromkeys(("api", "serve", "report", "verify", "workflows"), 5),
    **dict.fromkeys(("recipes", "labs"), 4),
    **dict.fromkeys(("methods", "tasks", "models", "data", "optim", "compress", "explain", "export"), 3),
    **dict.fromkeys(("layers", "measure"), 2),
    "engine": 1,
    "core": 0,
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SIDEWAYS = {("serve", "api"), ("verify", "api"), ("verify", "workflows"), ("workflows", "api"), ("workflows", "report")}
# The api's run has every verb as a method; only when one is called does it reach for the room that does the work.
LATE = {("api", "workflows"), ("api", "serve")}
SOFT, HARD = 300, 500


def name_of(path):
    """``netsmith/a/b.py`` -> ``("netsmith", "a", "b")``."""
    parts = ("netsmith", *path.relative_to(ROOT).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(tree, name, *, package):
    """Yield (line, dotted module) of every import in a file, relative and late ones too."""
    base = list(name) if package else list(name[:-1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                module = base[: len(base) - node.level + 1] + module
            yield node.lineno, ".".join(module)
            for alias in node.names:  # ``from netsmith import core`` imports a room too
                yield node.lineno, ".".join([*module, alias.name])
        elif isinstance(node, ast.Call) and text_of(node.func).endswith("import_module") and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield node.lineno, argument.value


def text_of(node):
    return ast.unparse(node)


def room_of(dotted):
    parts = dotted.split(".")
    return parts[1] if parts[0] == "netsmith" and len(parts) > 1 and parts[1] in LEVELS else None


def allowed(source, target):
    return source == target or LEVELS[target] < LEVELS[source] or (source, target) in SIDEWAYS


def late_lines(tree):
    """Lines of statements that run only when a function is called."""
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    return {node.lineno for function in functions for node in ast.walk(function) if hasattr(node, "lineno")}


def wrong_arrows(tree, name, *, package):
    source = "cli" if name[1:] in ((), ("__main__",)) else name[1]
    late = late_lines(tree)
    for line, dotted in imports(tree, name, package=package):
        target = room_of(dotted)
        if target is None or allowed(source, target) or ((source, target) in LATE and line in late):
            continue
        yield line, f"{source} imports {dotted}"


def parsed():
    for path in FILES:
        yield path, ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT).as_posix()


PARSED = list(parsed())


def test_every_folder_is_a_room():
    rooms = {path.relative_to(ROOT).parts[0] for path in FILES if len(path.relative_to(ROOT).parts) > 1}
    assert rooms <= set(LEVELS)
    assert {path.name for path in FILES if path.parent == ROOT} <= {"__init__.py", "__main__.py"}


def test_imports_only_point_down():
    found = [
        f"{place}:{line}: {what}"
        for path, tree, place in PARSED
        if path != ROOT / "__init__.py"
        for line, what in wrong_arrows(tree, name_of(path), package=path.name == "__init__.py")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("room", "code", "wrong"),
    [
        ("core", "import netsmith.engine.engine", True),
        ("core", "from netsmith import engine", True),
        ("core", "from ..engine import batch", True),
        ("core", "def f():\n    from netsmith.models.vision import resnet", True),
        ("core", "import importlib\nimportlib.import_module('netsmith.engine.engine')", True),
        ("core", "if TYPE_CHECKING:\n    from netsmith.engine import engine", True),
        ("core", "from . import config", False),
        ("engine", "from netsmith.core import config", False),
        ("engine", "from netsmith.layers import rows", True),
        ("models", "from netsmith.tasks import classify", True),
        ("models", "from netsmith.models.vision import resnet", False),
        ("models", "from netsmith.layers import rows", False),
        ("measure", "from netsmith.layers import rows", True),
        ("recipes", "from netsmith.models.vision import resnet", False),
        ("recipes", "from netsmith.api import run", True),
        ("recipes", "from netsmith.labs import x", True),
        ("api", "from netsmith.serve import app", True),
        ("api", "def f():\n    from netsmith.serve import app", False),
        ("api", "def f():\n    from netsmith.cli import app", True),
        ("serve", "from netsmith.api import run", False),
        ("report", "from netsmith.api import run", True),
        ("verify", "from netsmith.serve import app", True),
        ("cli", "from netsmith.api import run", False),
        ("workflows", "from netsmith.cli import app", True),
    ],
)
def test_the_check_itself(room, code, wrong):
    assert bool(list(wrong_arrows(ast.parse(code), ("netsmith", room, "file"), package=False))) is wrong


def test_core_and_cli_import_no_torch_at_the_top():
    heavy = {"torch", "numpy", "safetensors", "onnx", "onnxruntime", "sklearn", "matplotlib"}
    found = []
    for _, tree, place in PARSED:
        if not place.startswith(("core/", "cli/")) and place not in ("__init__.py", "__main__.py"):
            continue
        late = late_lines(tree)
        for line, dotted in imports(tree, name_of(ROOT / place), package=place.endswith("__init__.py")):
            if line not in late and dotted.split(".")[0] in heavy:
                found.append(f"{place}:{line}: {dotted}")
    assert not found, "\n".join(found)


def test_files_are_short():
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in FILES}
    long = {place: length for place, length in lengths.items() if length > HARD}
    assert not long, f"more than {HARD} lines: {long}"
    if soft := {place: length for place, length in lengths.items() if length > SOFT}:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn(f"more than {SOFT} lines: {soft}", UserWarning, stacklevel=1)


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, text_of(node.func)


def is_step(function):
    owner, _, method = function.rpartition(".")
    last = owner.rpartition(".")[2].lower()
    return method == "backward" or (method == "step" and ("optim" in last or last == "inner"))


# An optimizer around another one is still one step, which the updater asked for: it hands it on once.
WRAPPERS = {
    "optim/clip_value.py",
    "optim/decoupled_decay.py",
    "optim/gradient_noise.py",
    "optim/l1_penalty.py",
    "optim/lookahead.py",
    "optim/sam.py",
    "optim/weight_noise.py",
}


def test_only_the_updater_steps():
    found = [
        f"{place}:{line}: {function}("
        for _, tree, place in PARSED
        if place != "engine/updater.py"
        for line, function in calls(tree)
        if is_step(function) and not (place in WRAPPERS and function == "self.inner.step")
    ]
    assert not found, "\n".join(found)
    handed = {
        place: [function for _, function in calls(tree) if function.endswith(".step")]
        for _, tree, place in PARSED
        if place.startswith("optim/")
    }
    assert {place: steps for place, steps in handed.items() if steps} == {
        **{place: ["self.inner.step"] for place in WRAPPERS},
        "optim/rmsprop.py": ["super().step"],
    }
    updater = next(tree for _, tree, place in PARSED if place == "engine/updater.py")
    assert sum(is_step(function) for _, function in calls(updater)) == 4  # two of each
    assert is_step("self.optimizer.step")
    assert is_step("self.inner.step")
    assert is_step("loss.backward")
    assert not is_step("self.method.step")


PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
RUNNERS = {"eval", "exec", "__import__", "os.system", "os.popen", "torch.load", "torch.save", "np.load", "numpy.load"}
# The user's own recipe file is the one thing that is run on purpose: what was hashed is what is executed.
ON_PURPOSE = {("api/experiments.py", "exec")}


def runs_code(function, named, place):
    if function == "torch.load":
        return not (named.get("weights_only") == "True" and place.startswith("api/"))
    if function in ("np.load", "numpy.load"):
        return named.get("allow_pickle") != "False"
    return named.get("shell") == "True" or (function in RUNNERS and (place, function) not in ON_PURPOSE)


def test_nothing_that_is_loaded_can_execute_code():
    found = []
    for path, tree, place in PARSED:
        for line, dotted in imports(tree, name_of(path), package=path.name == "__init__.py"):
            if dotted.split(".")[0] in PICKLES:
                found.append(f"{place}:{line}: import {dotted}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                named = {keyword.arg: text_of(keyword.value) for keyword in node.keywords}
                if runs_code(text_of(node.func), named, place):
                    found.append(f"{place}:{node.lineno}: {text_of(node.func)}(")
    assert not found, "\n".join(found)
    assert runs_code("np.load", {}, "data/x.py")
    assert runs_code("torch.load", {"weights_only": "True"}, "models/x.py")
    assert runs_code("subprocess.run", {"shell": "True"}, "engine/x.py")
    assert runs_code("exec", {}, "api/run.py")


def test_every_public_module_says_what_it_is_and_gives():
    found = []
    for path, tree, place in PARSED:
        if not ast.get_docstring(tree):
            found.append(f"{place}: no docstring")
        assert path.stem not in ("utils", "util", "helpers", "misc", "common"), place
        if path.stem.startswith("_") or place.startswith("recipes/"):  # a recipe gives CARD and experiment
            continue
        names = [
            node.value for node in tree.body if isinstance(node, ast.Assign) and text_of(node.targets[0]) == "__all__"
        ]
        if len(names) != 1:
            found.append(f"{place}: no __all__")
            continue
        given = ast.literal_eval(names[0])
        defined = {
            name
            for node in ast.walk(tree)
            for name in (
                [node.name]
                if isinstance(node, (ast.FunctionDef, ast.ClassDef))
                else [target.id for target in node.targets if isinstance(target, ast.Name)]
                if isinstance(node, ast.Assign)
                else [node.target.id]
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
                else [alias.asname or alias.name for alias in node.names]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        found += [f"{place}: __all__ names {name}, which is not there" for name in given if name not in defined]
        found += [f"{place}: {name} stands twice in __all__" for name in set(given) if given.count(name) > 1]
    assert not found, "\n".join(found)


def test_tests_and_sources_name_no_machine():
    """No path of a machine and no registry host stands in a file."""
    words = (
        *(f"/{folder}/" for folder in ("home", "work", "Users")),
        "C:\\" + "\\",
        "pypi.org/simple",
        "files.pythonhosted",
    )
    own = Path(__file__)
    for path in [*FILES, *own.parent.rglob("*.py")]:
        if path != own:
            text = path.read_text(encoding="utf-8")
            assert not [word for word in words if word in text], path
