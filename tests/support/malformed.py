"""Malformed profiles, files and options by kind: what is done, and what the refusal names.

The tests of the plugin run some of them through a real pytest.
"""

import gzip
import json
import os

PROFILE = """
name = "asked"
[axes.harmlessness]
rate = "HmR"
threshold = 0.5
comparison = ">="
prompts.origin = { source = "file", path = "rows.jsonl" }
[variants]
echo.null = "echo"
refuse.null = "refuse"
[judge]
keywords = ["kill"]
"""
RECORDED = """
name = "told"
[axes.harmlessness]
rate = "HmR"
threshold = 0.0
comparison = ">="
prompts.origin.source = "recorded"
[variants]
base.recorded = "told.jsonl"
[judge]
recorded = true
"""
ROWS = "".join(json.dumps({"prompt": f"Human: question {i}?"}) + "\n" for i in range(4))
TOLD = "".join(
    json.dumps({"prompt": f"Human: question {i}?", "response": "No.", "score": i}) + "\n"
    for i in range(4)
)
HUGE, LONG = "9" * 5000, "a" * 220_000
BIDI = "\u202egnirts\u2066"


def project(folder):
    """A project whose profiles are good, so that one thing in it is wrong at a time."""
    for name, text in (
        ("asked.toml", PROFILE),
        ("told.toml", RECORDED),
        ("rows.jsonl", ROWS),
        ("told.jsonl", TOLD),
    ):
        (folder / name).write_text(text)
    return folder


# What is set -> what the refusal says. Over the profile `asked.toml`.
VALUES = {
    # numbers: not finite, not a number, out of every bound
    "axes.harmlessness.threshold=nan": "threshold: input should be a finite number, found nan",
    "axes.harmlessness.threshold=-nan": "threshold: input should be a finite number",
    "axes.harmlessness.threshold=inf": "threshold: input should be a finite number, found inf",
    "axes.harmlessness.threshold=-inf": "threshold: input should be a finite number, found -inf",
    "axes.harmlessness.threshold=1e400": "threshold: input should be a finite number, found inf",
    "axes.harmlessness.threshold=1e300": "threshold: input should be less than or equal to",
    f"axes.harmlessness.threshold={HUGE}": "threshold: input should be a valid number",
    f"axes.harmlessness.threshold=0x{'f' * 5000}": "found a number of 20000 bits",
    "axes.harmlessness.threshold=true": "threshold: input should be a valid number, found True",
    "axes.harmlessness.threshold='0'": "threshold: input should be a valid number, found '0'",
    "axes.harmlessness.threshold=[]": "threshold: input should be a valid number",
    "axes.harmlessness.threshold={}": "threshold: input should be a valid number",
    "axes.harmlessness.threshold=1979-05-27": "threshold: input should be a valid number",
    "axes.harmlessness.gate.margin=nan": "margin: input should be a finite number",
    "axes.harmlessness.gate.margin=0": "margin: input should be greater than 0",
    "axes.harmlessness.gate.margin=-1": "margin: input should be greater than 0",
    "axes.harmlessness.gate.margin=101": "margin: input should be less than or equal to 100",
    "axes.harmlessness.gate.confidence=nan": "confidence: input should be a finite number",
    "axes.harmlessness.gate.confidence=1": "confidence: input should be less than 1",
    "confidence=inf": "confidence: input should be a finite number",
    "confidence=0.5": "confidence: input should be greater than 0.5",
    "seed=-1": "seed: input should be greater than or equal to 0, found -1",
    "seed=4294967296": "seed: input should be less than 4294967296",
    "seed=1.0": "seed: input should be a valid integer, found 1.0",
    "seed=true": "seed: input should be a valid integer, found True",
    "seed=nan": "seed: input should be a valid integer, found nan",
    "sampling_seed='7'": "sampling_seed: input should be a valid integer, found '7'",
    "threads=-1": "threads: input should be greater than or equal to 0",
    "threads=1000000": "threads: input should be less than or equal to 1024",
    "generation.samples=0": "samples: input should be greater than or equal to 1",
    "generation.samples=1000000000": "samples: input should be less than or equal to 1000",
    "generation.samples=2": "`samples` above 1 need a `temperature` above 0",
    "generation.max_new_tokens=1000000000000": "max_new_tokens: input should be less than",
    "generation.max_new_tokens=-5": "max_new_tokens: input should be greater than",
    "generation.temperature=nan": "temperature: input should be a finite number",
    "generation.temperature=-0.1": "temperature: input should be greater than",
    "generation.top_p=0": "top_p: input should be greater than 0",
    "generation.top_p=inf": "top_p: input should be a finite number",
    "generation.block=0": "block: input should be greater than or equal to 1",
    "generation.block=99999999999": "block: input should be less than",
    "generation.batch_tokens=99999999999": "batch_tokens: input should be less than",
    "gate.resamples=99": "resamples: input should be greater than or equal to 100",
    "gate.resamples=1000000000000": "resamples: input should be less than",
    "gate.probe_tolerance=-1": "probe_tolerance: input should be greater than",
    "gate.probe_tolerance=nan": "probe_tolerance: input should be a finite number",
    "training.vocab_size=100000000": "vocab_size: input should be less than",
    "training.max_length=0": "max_length: input should be greater than",
    "judge.max_length=99999999999": "judge.max_length: input should be less than",
    "axes.harmlessness.prompts.sample=0": "sample: input should be greater than",
    "axes.harmlessness.prompts.sample=99999999999": "sample: input should be less than",
    "axes.harmlessness.prompts.sample=5": "axis 'harmlessness': 4 prompts left of 4 rows",
    # names: reserved, shaped like something else, too long
    "name='../../etc'": "name: string should match pattern",
    "name='..'": "name: string should match pattern",
    "name='a/b'": "name: string should match pattern",
    "name='a b'": "name: string should match pattern",
    'name="a\\u0000b"': "name: string should match pattern",
    'name="a\\nb"': "name: string should match pattern",
    f"name='{BIDI}'": "name: string should match pattern",
    "name='con'": "is the name of a device on Windows",
    "name=''": "name: string should match pattern",
    f"name='{'n' * 300}'": "name: string should have at most 64 characters",
    f"name='{LONG}'": "name: string should have at most 64 characters",
    f"variants.{'v' * 256}.null='echo'": "string should have at most 64 characters",
    "variants.Echo.null='echo'": "'echo' and 'Echo' are the same file name on file systems",
    "variants.judge.null='echo'": "variants: 'judge' is the judge's name",
    "variants.__proto__.null='echo'": "__proto__: string should match pattern",
    "variants.'a.b'.null='echo'": "a.b: string should match pattern",
    "variants.'../x'.null='echo'": "../x: string should match pattern",
    "variants.''.null='echo'": "needs key.path=value",
    "axes.'*repeats'.rate='x'": "*repeats: string should match pattern",
    "axes.harmlessness.rate='CAS'": "CAS is the mean of the rates; give this one another name",
    "axes.harmlessness.rate='cas'": "CAS is the mean of the rates; give this one another name",
    "axes.harmlessness.rate='all metrics'": "rate: string should match pattern",
    "judge.dimension='*repeats'": "judge.dimension: string should match pattern",
    "judge.dimension='*unscored'": "judge.dimension: string should match pattern",
    "judge.dimension=''": "judge.dimension: string should match pattern",
    "axes.harmlessness.dimension='*unscored'": "dimension: string should match pattern",
    "axes.harmlessness.dimension='other'": "the judge gives 'reward', not 'other'",
    "reference='no name'": "reference: string should match pattern",
    # texts and places
    'data="a\\u0000b"': "data: contains a NUL",
    "data=''": "data: string should have at least 1 character",
    f"data='{'d/' * 2100}'": "data: string should have at most 4096 characters",
    "data='absent'": "there is no such file",
    "data='rows.jsonl'": "cannot be read: Not a directory",
    f"description='{LONG}'": "description: string should have at most 65536 characters",
    "description=\udcff": "unable to parse raw data as a unicode string",
    "axes.harmlessness.prompts.origin.path='absent.jsonl'": "absent.jsonl: there is no such file",
    "axes.harmlessness.prompts.origin.path='.'": "is a folder, where a JSON or JSONL file is",
    "axes.harmlessness.prompts.origin.path='/dev/zero'": "zero: cannot be read: it is a device",
    "axes.harmlessness.prompts.origin.path='~nobody-here/x'": "there is no such file",
    "axes.harmlessness.prompts.origin.source='url'": "origin: input tag 'url'",
    "axes.harmlessness.prompts.origin=3": "origin: input should be a valid dictionary",
    "axes.harmlessness.prompts.keywords=['']": "keywords.0: string should have at least 1",
    "axes.harmlessness.prompts.keywords=['kill']": "4 without a keyword",
    "axes.harmlessness.prompts.keywords='kill'": "keywords: input should be a valid tuple",
    "judge.keywords=[" + '"x",' * 1001 + "]": "keywords: value should have at most 1000 items",
    f"judge.keywords=['{'x' * 1001}']": "keywords.0: string should have at most 1000",
    "judge.keywords=[1]": "keywords.0: input should be a valid string",
    # tables, lists and keys of another kind
    "axes={}": "axes: dictionary should have at least 1 item",
    "axes=[]": "axes: input should be a valid dictionary",
    "axes=3": "axes: input should be a valid dictionary, found 3",
    "variants=3": "variants: input should be a valid dictionary, found 3",
    "variants={}": "has no variant to evaluate",
    "judge={}": "a judge needs exactly one of",
    "judge=[]": "judge: input should be a valid dictionary",
    "judge.model='m'": "a judge needs exactly one of",
    "gate.against='variant:nobody'": "there is no variant 'nobody'; known: echo, refuse",
    "gate.against='variant:../x'": "against: string should match pattern",
    "gate.variants=['nobody']": "gate.variants: there is no variant 'nobody'",
    "gate.variants=[[]]": "gate.variants.0: input should be a valid string",
    "claims=['echo is better']": "claims: 'echo is better' is not a claim",
    f"claims=['{'x' * 5000}']": "is not a claim; write",
    "device='tpu'": "device: string should match pattern",
    "device='cuda:99999'": "device: string should match pattern",
    "dtype='int4'": "dtype: input should be 'float32', 'bfloat16' or 'float16'",
    "network='yes'": "network: input should be a valid boolean",
    "network=1": "network: input should be a valid boolean",
    "treshold=1": "treshold: unknown key",
    f"{'k' * 5000}=1": "unknown key; accepted: name, description",
    "constructor=1": "constructor: unknown key",
    "axes.harmlessness.prompts.orgin=1": "did you mean 'origin'?",
    ".".join(["axes"] * 101) + "=1": "more than 100 nested keys",
    "seed": "--alignment-set 'seed': needs key.path=value",
    "=1": "--alignment-set '=1': needs key.path=value",
    "a..b=1": "needs key.path=value",
    "[a]\n[b]\nc=1": "needs key.path=value",
    "seed.x=1": "seed: input should be a valid integer",
    "name.x=1": "--alignment-set 'name.x=1': name is a value",
    "gate.variants.0=1": "gate.variants",
    f"seed={'[' * 100_000}": "seed: input should be a valid integer, found '[[[",
    f"seed={'{a=' * 30_000}": "seed: input should be a valid integer",
}

# The same over the built-in profile `tiny`, whose variants are made by recipes.
RECIPES = {
    "variants.sft.stages.0.args.learning_rate=nan": "args: contains a number that is not finite",
    "variants.sft.stages.0.args.x=[[1, inf]]": "args: contains a number that is not finite",
    "variants.sft.stages.0.args.seed=99999999999999999999": "whole number of more than 64 bits",
    "variants.sft.stages.0.args.x=1979-05-27": "args: contains a date; only texts, numbers, lists",
    "variants.sft.stages.0.args=3": "args: input should be a valid dictionary",
    "variants.sft.stages.0.args.nothing=1": "SFTConfig has no such argument",
    "variants.sft.stages.0.args.output_dir='/'": "output_dir: is set by the project, take it out",
    "variants.dpo.stages.0.lora.rank=8": "LoraConfig has no such argument",
    "variants.dpo.stages.0.lora.r=inf": "lora: contains a number that is not finite",
    "variants.sft.stages.0.rows=0": "rows: input should be greater than",
    "variants.sft.stages.0.degenerate=nan": "degenerate: input should be a finite number",
    "variants.sft.stages.0.degenerate=1": "`degenerate` belongs to stages with trainer 'reward'",
    "variants.sft.stages.0.trainer='ppo'": "trainer: input should be 'sft', 'dpo' or 'reward'",
    "variants.sft.stages.1=1": "'1' is not an index below 1",
    f"variants.sft.stages.{HUGE}=1": "is not an index below 1",
    "variants.sft.stages.-1=1": "'-1' is not an index below 1",
    "variants.sft.parent='nobody'": "variants.sft.parent: there is no variant 'nobody'",
    "variants.sft.parent='sft'": "the parents form a circle: sft -> sft",
    'variants.sft.parent="a\\u0000"': "parent: contains a NUL",
    "variants.base.architecture.hidden_size=inf": "architecture: contains a number that is not",
    "variants.base.architecture.num_hidden_layers=1000000000": "= 1000000000; at most 1000",
    "variants.base.architecture={}": "`architecture` needs `model_type`",
    "variants.base.model='m'": "a variant needs exactly one of",
    "variants.sft.model='./m'": "a variant needs exactly one of",
    "axes.harmlessness.trial.pairs=9": "pairs: input should be greater than or equal to 10",
    "axes.harmlessness.trial.pairs=100000": "the trial needs 100000 preference pairs",
    "training.sources.harmlessness.source='recorded'": "input tag 'recorded'",
    "training.sources.'..'.source='tiny'": "..: string should match pattern",
    "judge.scale=[1, 2]": "judge.scale: unknown key",
    "judge.outputs.a.index=-1": "outputs.a.index: input should be greater than",
    "judges.other.axes={}": "judges.other.axes: dictionary should have at least 1 item",
    "pickles.'m'.sha256={}": "sha256: dictionary should have at least 1 item",
    f"pickles.'m'.sha256.'*'='{'a' * 64}'": "*: string should match pattern",
    f"pickles.'m'.sha256.'../x'='{'a' * 64}'": "../x: string should match pattern",
    "pickles.'m'.sha256.x='0'": "sha256.x: string should match pattern",
}

# A file of a profile -> what the refusal says. `p.toml` is selected.
FILES = {
    b"": "axes: required key is missing",
    b"name = ": "not valid TOML",
    b"\x00" * 100: "not valid TOML",
    b"\xff\xfen\x00": "it is not UTF-8 (line 1)",
    b"\n\nname = '\xff'": "it is not UTF-8 (line 3)",
    b"a = " + b"[" * 50_000: "not valid TOML: nested deeper than 100",
    b"a = " + b"{a = " * 50_000: "not valid TOML: nested deeper than 100",
    b"a = " + b"[" * 200 + b"]" * 200: "nested deeper than 100",
    b".".join([b"a"] * 100_000) + b" = 1": "not valid TOML: nested deeper than 100",
    b"[" + b".".join([b"a"] * 100_000) + b"]": "not valid TOML: nested deeper than 100",
    b"x = 1\n" * 2: "not valid TOML: Cannot overwrite a value",
    b"x = '" + b"y" * 2**20 + b"'": "it has more than 1 MiB, which is the limit",
    b"x = " + b"9" * 5000: "not valid TOML: a number of too many digits",
    b"# " + b"x" * 220_000 + b"\ny =": "not valid TOML: Invalid value",
    b"y" * 220_000 + b" = 1" + PROFILE.encode(): "unknown key; accepted",
    b'"\\u202e\\u0000" = 1' + PROFILE.encode(): "\\u202e\\x00: unknown key; accepted",
    b"extends = 3": "extends: must be the name or the file of a profile",
    b"extends = 'nowhere'": "unknown profile 'nowhere'",
    b"extends = 'p.toml'": "profiles extend each other in a circle: p.toml -> p.toml",
    b"extends = ''": "unknown profile",
    b'extends = "a\\u0000b"': "unknown profile",
    b"extends = '/dev/zero'": "it is a device, and a regular file is required",
    b"extends = '" + b"x" * 300 + b"'": "unknown profile",
    b"name = 3": "name: input should be a valid string, found 3",
    PROFILE.replace("threshold = 0.5", "threshold = nan").encode(): "finite number, found nan",
    PROFILE.replace("[judge]", "[[judge]]").encode(): "judge: input should be a valid dictionary",
    PROFILE.replace("[variants]", "[[variants]]").encode(): "variants: input should be a valid",
    RECORDED.replace('"told.jsonl"', '{ other = "told.jsonl" }').encode(): "no axis 'other'",
}

# `pyproject.toml` of a project without other settings.
PROJECTS = {
    b"tool = []": "pyproject.toml: tool: must be a table",
    b"tool = 3": "pyproject.toml: tool: must be a table",
    b"[tool]\nalignment = []": "pyproject.toml: tool.alignment: must be a table",
    b"[[tool.alignment]]\nname = 'x'": "pyproject.toml: tool.alignment: must be a table",
    b"[tool.alignment]\nseed = -1": "seed: input should be greater than or equal to 0",
    b"[tool.alignment]\nextends = 'nowhere'": "unknown profile 'nowhere'",
    b"[tool": "pyproject.toml: not valid TOML",
    b"\xff": "pyproject.toml: cannot be read: it is not UTF-8",
    b"x = " + b"[" * 50_000: "pyproject.toml: not valid TOML: nested deeper than 100",
}


def _fifo(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _device(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def _folder(path):
    path.unlink(missing_ok=True)
    path.mkdir()


def _loop(path):
    path.unlink(missing_ok=True)
    path.symlink_to(path)


SPOILED = {"FIFO": _fifo, "device": _device, "folder": _folder, "symbolic": _loop}

# What `rows.jsonl` holds -> what the refusal says.
ROWS_OF = {
    b"": "is empty; at least one row is required",
    b"\n\n": "is empty; at least one row is required",
    b"[]": "is empty; at least one row is required",
    b"\x00\x00": "line 1: not JSON",
    b"3": "an object (`{...}`) is required, not a value of type int",
    b"[3]": "item 1: an object (`{...}`) is required",
    b"[[[]]]": "item 1: an object (`{...}`) is required",
    b'{"prompt": "Human: a"}\n{': "line 2: not JSON",
    b'{"prompt": 3}': "line 1: `prompt` must be a string, not a int",
    b'{"prompt": []}': "`prompt` is an empty list",
    b'{"prompt": [3]}': "message 1: an object with `role` and `content` is required",
    b'{"prompt": [{"role": "tool", "content": "x"}]}': "role 'tool' has no place in a dialogue",
    b'{"prompt": [{"role": "user", "content": null}]}': "`content` must be a string",
    b'{"prompt": [{"role": "system", "content": "x"}]}': "needs a user's message after it",
    json.dumps({"k" * 220_000: 1}).encode(): "`chosen` or `prompt` is required; keys found: 'kkk",
    json.dumps({"prompt": [{"role": LONG, "content": "x"}]}).encode(): "has no place in a dialogue",
    b'{"rejected": "Human: a"}': "`chosen` is required",
    b'{"prompt": "\\ud800"}': "holds half of a surrogate pair",
    b'{"prompt": "\xff"}': "line 1: not UTF-8",
    b"\xff\xfe{": "line 1: not UTF-8",
    b'{"a": ' + b"[" * 100_000: "line 1: not JSON",
    b"[" * 100_000: "not JSON",
    b'{"a": ' + b"9" * 5000 + b"}": "line 1: not JSON",
    b"\x1f\x8b": "corrupt gzip file",
    gzip.compress(ROWS.encode(), mtime=0)[:-9]: "corrupt gzip file",
    gzip.compress(ROWS.encode(), mtime=0) + b"more": "corrupt gzip file",
    gzip.compress(b"\0" * 2**25, mtime=0): "line 1: a line of more than 16 MiB, which is the limit",
    b'{"prompt": "' + b"a" * 2**24 + b'"}': "line 1: a line of more than 16 MiB",
    b'{"prompt": "Assistant: I answered."}': "not ending with the human's words",
}

# What `told.jsonl` holds, with recorded scores -> what the refusal says.
TOLD_OF = {
    b'{"prompt": "a", "score": NaN}': "`score` is nan, not a finite number",
    b'{"prompt": "a", "score": Infinity}': "`score` is inf, not a finite number",
    b'{"prompt": "a", "score": 1e999}': "`score` is inf, not a finite number",
    b'{"prompt": "a", "score": 1e300}': "`score` is 1e+300; scores lie between",
    b'{"prompt": "a", "score": ' + b"9" * 400 + b"}": "`score` is inf, not a finite number",
    b'{"prompt": "a", "score": true}': "`score` must be a number, not a bool",
    b'{"prompt": "a", "score": "1"}': "`score` must be a number, not a str",
    b'{"prompt": "a", "response": "b"}': "no `score`, and the judge of this profile is `recorded`",
    b'{"prompt": "a"}': "`response` or `score` is required",
    b'{"score": 1}': "`prompt` or `prompt_id` is required",
    b'{"prompt": " ", "score": 1}': "`prompt` is empty",
    b'{"prompt_id": "../x", "score": 1}': "`prompt_id` is '../x'",
    b'{"prompt_id": "' + b"x" * 220_000 + b'", "score": 1}': "`prompt_id` is 'xxx",
    b'{"prompt": "a", "score": 1}\n{"prompt": "a", "score": 2}': "was answered otherwise in",
    b'{"prompt": "a", "score": 1, "axis": 3}': "`axis` must be a string, not a int",
    b'{"prompt": "a", "score": 1, "axis": "other"}': "has no recorded rows for axis",
    b'{"arguments": [], "resps": []}': "hold no context and text",
}

# `--alignment-variant`
VARIANTS = {
    "": "needs NAME=SPEC",
    "x": "--alignment-variant 'x': needs NAME=SPEC",
    "=x": "needs NAME=SPEC",
    "x=": "needs NAME=SPEC",
    "a b=./m": "a b: string should match pattern",
    "../x=./m": "../x: string should match pattern",
    "__proto__=./m": "__proto__: string should match pattern",
    "judge=./m": "variants: 'judge' is the judge's name",
    "ECHO=./m": "are the same file name on file systems",
    "candidate=./nowhere": "model ./nowhere: no such folder",
    f"candidate={'x' * 5000}": "candidate.model: string should have at most 4096 characters",
    "candidate=http://127.0.0.1:1/v1": "a served model needs NAME=URL#MODEL",
    "candidate=nowhere.jsonl": "there is no such file",
    "candidate=./rows.jsonl": "`response` or `score` is required",
    f"{'v' * 300}=./m": "string should have at most 64 characters",
}
