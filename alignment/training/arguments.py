"""The arguments that TRL's and PEFT's configs take, read from their source without importing them.

Importing `trl.SFTConfig` takes 7 s and loads torch; validating a profile should need neither.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
from functools import cache
from pathlib import Path

from alignment.config.recipes import Stage
from alignment.errors import ProfileError

_INHERITED = (
    ("trl", "trainer/base_config.py", "_BaseConfig"),
    ("transformers", "training_args.py", "TrainingArguments"),
)
_CONFIGS = {
    "sft": (("trl", "trainer/sft_config.py", "SFTConfig"), *_INHERITED),
    "dpo": (("trl", "trainer/dpo_config.py", "DPOConfig"), *_INHERITED),
    "reward": (("trl", "trainer/reward_config.py", "RewardConfig"), *_INHERITED),
    "lora": (
        ("peft", "tuners/lora/config.py", "LoraConfig"),
        ("peft", "config.py", "PeftConfig"),
        ("peft", "config.py", "PeftConfigMixin"),
    ),
}
"""Package, file and class of every config, followed by those of its base classes."""
_OURS = frozenset({"output_dir"})
"""Arguments that this project sets itself, as trained models go to the store."""


def check_stage(stage: Stage, where: str) -> None:
    """Check that the trainer's config and LoRA's have all arguments of a stage, by name only.

    `where` is the key path of the stage, for messages. Raises ProfileError.
    """
    _check(stage.args, stage.trainer, f"{where}.args")
    if stage.lora is not None:
        _check(stage.lora, "lora", f"{where}.lora")


def _check(arguments: dict[str, object], kind: str, where: str) -> None:
    config = _CONFIGS[kind][0][2]
    known = accepted(kind)
    for name in arguments:
        if name in _OURS:
            raise ProfileError(f"{where}.{name}: is set by the project, take it out")
        if name not in known:
            matches = difflib.get_close_matches(name, known, n=3)
            hint = (
                f"did you mean {' or '.join(matches)}?"
                if matches
                else f"see {config}'s documentation"
            )
            raise ProfileError(f"{where}.{name}: {config} has no such argument; {hint}")


@cache
def accepted(kind: str) -> frozenset[str]:
    """The names of the arguments of a trainer's config (`sft`, `dpo`, `reward`) or of `lora`."""
    return frozenset(
        name
        for package, file, config in _CONFIGS[kind]
        for name in _fields(_source(package, file), config)
    )


def _source(package: str, file: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ProfileError(f"{package} is not installed; pip install alignment-gate again")
    return Path(spec.origin).parent / file


def _fields(path: Path, config: str) -> set[str]:
    """The names of a class's annotated fields, as in a dataclass, without `init=False`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        entry.target.id
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == config
        for entry in node.body
        if isinstance(entry, ast.AnnAssign)
        and isinstance(entry.target, ast.Name)
        and not _is_internal(entry.value)
    }


def _is_internal(default: ast.expr | None) -> bool:
    """Whether a field's default is `field(init=False)`."""
    return isinstance(default, ast.Call) and any(
        keyword.arg == "init"
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is False
        for keyword in default.keywords
    )
