"""Imports run one way, and what is heavy or of one place only is imported there.

Read from the source: what a function imports late counts like what a module imports at once.
"""

import ast
import re
import sys

import pytest

from support.places import ROOT

PACKAGE = ROOT / "alignment"
LEVELS = (
    {"redaction", "errors", "progress", "records", "files"},
    {"runtime", "config", "store", "analysis", "tiny"},
    {"prompts"},
    {"checkpoints", "serving"},
    {"training"},
    {"policies"},
    {"judges"},
    {"study"},
    {"reporting"},
    {"labels"},
    {"gating"},
    {"plugin", "commands", "__main__"},
)
"""Every room: it may import from its own level and from those before it."""

LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}
ENGINE = ("engine", "packed", "packing", "padded", "probe")
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "accelerate", "tokenizers", "openai"}


def room_of(path):
    """`alignment/prompts/hub.py` is of the room `prompts`, `alignment/errors.py` of `errors`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules():
    """The source files of the package, but for its front page."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports(path):
    """The dotted names that a file imports, wherever in it; and whether only for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they go"
            names = [node.module]
            if node.module == "alignment":
                names = [f"alignment.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) in typing


def libraries(path):
    """The top-level packages that a file imports when it runs."""
    return {name.partition(".")[0] for name, typing in imports(path) if not typing}


def at_once(path):
    """The top-level packages that importing a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.partition(".")[0])
    return found


def importing(library):
    """The files that import a library."""
    return {str(p.relative_to(PACKAGE)) for p in modules() if library in libraries(p)}


def test_every_part_has_its_level():
    assert {room_of(path) for path in modules()} <= LEVEL.keys()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    own = LEVEL[room_of(path)]
    wrong = {
        name
        for name, typing in imports(path)
        if not typing and name.startswith("alignment.") and LEVEL.get(name.split(".")[1], -1) > own
    }
    assert not wrong, f"{path.name} is of level {own}: {LEVELS[own]}"


def test_there_is_no_circle_of_parts():
    """Within a level too: a part never comes back to itself."""
    edges = {}
    for path in modules():
        for name, typing in imports(path):
            if name.startswith("alignment.") and not typing:
                edges.setdefault(room_of(path), set()).add(name.split(".")[1])
    finished = set()

    def visit(part, line):
        assert part not in line, f"circle: {' -> '.join((*line, part))}"
        if part not in finished:
            for below in edges.get(part, set()) - {part}:
                visit(below, (*line, part))
            finished.add(part)

    for part in LEVEL:
        visit(part, ())


LEAVES = (
    *("redaction", "errors", "files/foreign"),
    *("records/values", "records/decisions", "records/corrections", "records/labels"),
)


def test_leaves_import_nothing_of_the_project():
    for name in LEAVES:
        ours = {name for name, _ in imports(PACKAGE / f"{name}.py") if name.startswith("alignment")}
        assert {each for each in ours if not each.startswith("alignment.records")} <= {
            "alignment.redaction"
        }
        others = libraries(PACKAGE / f"{name}.py") - {"alignment"}
        assert others <= {*sys.stdlib_module_names, "__future__"}


def test_analysis_is_pure():
    for path in (PACKAGE / "analysis").rglob("*.py"):
        ours = {name for name, _ in imports(path) if name.startswith("alignment.")}
        allowed = tuple(f"alignment.{name}" for name in ("errors", "records"))
        allowed += ("alignment.analysis",)
        assert all(name.startswith(allowed) for name in ours), path
        assert not libraries(path) & (HEAVY | {"pandas", "pytest"}), path
        assert not at_once(path) & {"numpy", "scipy"}, path


def test_reporting_renders_what_it_is_given():
    for path in (PACKAGE / "reporting").glob("*.py"):
        if path.name == "publishing.py":
            continue  # it is what asks for the figures
        ours = {name for name, _ in imports(path) if name.startswith("alignment.")}
        allowed = tuple(f"alignment.{name}" for name in ("errors", "records", "files"))
        allowed += ("alignment.reporting",)
        assert all(name.startswith(allowed) for name in ours), path
        pages = {name: {"jinja2"} for name in ("page.py", "selfcontained.py")}
        rendering = ({"cases.py": {"pyarrow"}} | pages).get(path.name, set())
        assert libraries(path) <= {*sys.stdlib_module_names, "alignment", *rendering}, path
        assert not at_once(path) & {"pyarrow"}, path


def test_figures_are_drawn_from_the_document_alone():
    known = ("errors", "files", "analysis", "reporting", "store", "runtime")
    for path in (PACKAGE / "reporting" / "figures").rglob("*.py"):
        ours = {name for name, _ in imports(path) if name.startswith("alignment.")}
        assert all(name.split(".")[1] in known for name in ours), path


def test_only_the_style_of_figures_imports_matplotlib_and_late():
    assert importing("matplotlib") == {"reporting/figures/style.py"}
    assert "matplotlib" not in at_once(PACKAGE / "reporting" / "figures" / "style.py")


def test_only_agreement_imports_krippendorff_and_late():
    assert importing("krippendorff") == {"labels/agreement.py"}
    for path in (PACKAGE / "labels").glob("*.py"):
        assert not at_once(path) & {"krippendorff", "numpy", "scipy", "pandas"}, path


def test_only_the_trainers_import_trl():
    assert importing("trl") == {"training/trainers.py"}


def test_only_serving_imports_the_client():
    assert importing("openai") == {"serving/client.py", "serving/limits.py"}


def test_only_the_plugin_imports_pytest():
    assert {name.partition("/")[0] for name in importing("pytest")} == {"plugin"}
    assert not importing("_pytest")


def test_nothing_heavy_is_imported_before_it_is_needed():
    """The engine, `training/start.py` and `serving/limits.py` are themselves imported late."""
    engine = {PACKAGE / "policies" / f"{name}.py" for name in ENGINE}
    late = {PACKAGE / "training" / "start.py", PACKAGE / "serving" / "limits.py", *engine}
    wrong = {str(path) for path in modules() if path not in late and at_once(path) & HEAVY}
    assert not wrong


def test_tests_are_no_part_of_the_package():
    for path in modules():
        assert not libraries(path) & {"tests", "eval_suites", "conftest"}, path


# -- kinds of policies and judges --------------------------------------------------------------


WAYS = {"recorded", "null", "endpoint", "python", "panel", "kind"}
"""Keys of a variant or judge that only one kind has, and what tells kinds apart."""


def branches(path):
    """Where a file tells the kinds of policies or judges apart."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in WAYS:
            owner = ast.unparse(node.value)
            if re.search(r"variant|recipe|judge|policy|config|own", owner):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)}"
        called = isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"
        if called and re.search(
            r"Variant|JudgeConfig|SecondJudge|Kind\b", ast.unparse(node.args[1])
        ):
            yield f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)}"


def test_nobody_else_asks_which_kind_a_policy_or_a_judge_is():
    """They own themselves: `PolicyKind`, `JudgeKind`. Training tells its two recipes apart."""
    allowed = {"policies", "judges", "config"}
    found = [each for p in modules() if room_of(p) not in allowed for each in branches(p)]
    assert [each for each in found if not each.startswith("training/")] == []
    assert {each.partition(": ")[2] for each in found} <= {"isinstance(recipe, JudgeConfig)"}


def test_what_tells_kinds_apart_is_seen():
    own = PACKAGE / "policies" / "recorded.py"
    assert any("self.config.recorded" in each for each in branches(own))
