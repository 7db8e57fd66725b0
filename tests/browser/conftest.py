"""A real Chromium for the pages: what it asks for, and what it complains of, is kept."""

import shutil
from dataclasses import replace

import pytest

from alignment.records import Interval, Prompt
from alignment.records.decisions import Change, Decision, Findings, Flip, GateResult
from alignment.reporting.document import document
from support.reporting_sample import HOSTILE, results

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FIGURE = (
    '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 90 30" '
    'aria-labelledby="rates-t"><title id="rates-t">Rates</title><desc>Rates of each.</desc>'
    '<style>*{stroke-linejoin: round}</style><g style="fill: #1f2328"><rect width="30" height="9"/>'
    "</g></svg>"
)


@pytest.fixture(scope="module")
def browser():
    """One Chromium for a module."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium here")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield running
        running.close()


class Visit:
    """A page that was opened, with all that it asked for and complained of."""

    def __init__(self, browser, path, fragment="", **settings):
        self.context = browser.new_context(**settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.failures = {}
        self.page.on(
            "requestfailed", lambda request: self.failures.update({request.url: request.failure})
        )
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.url = path.as_uri()
        self.page.goto(self.url + fragment)

    def quiet(self):
        """Nothing was asked for but the file, and nothing was complained of."""
        own = {url for url in self.requests if not url.startswith("data:")}
        return {url.partition("#")[0] for url in own} <= {self.url} and not self.complaints

    def rows(self):
        """The rows of the table of cases: the text of each cell that is shown."""
        return self.page.eval_on_selector_all(
            "#case-table tbody tr[data-case]",
            "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))",
        )

    def count(self):
        """What the page says of how many cases there are."""
        return self.page.text_content("#count")


@pytest.fixture
def visit(browser):
    """Opens pages: `visit(path, "#...", color_scheme="dark")`; each must have been quiet."""
    visits = []

    def open_page(path, fragment="", **settings):
        visits.append(Visit(browser, path, fragment, **settings))
        return visits[-1]

    yield open_page
    noises = [each.complaints + each.requests for each in visits if not each.quiet()]
    for each in visits:
        each.context.close()
    assert not noises


def gate(**fields):
    """A gate that `sft_dpo` failed on harmlessness, with two flipped prompts."""
    change = Change("HmR", 10, 60.0, 40.0, 3, 1, -20.0, Interval(-45.0, 12.0), 0.01, 0.02)
    flips = (
        Flip("harm00", before=True, after=False, score_before=1.5, score_after=-3.5,
             text="Human: question 0?", response_before="I will not do that at all.",
             response_after="I will do that at once."),
        Flip("harm01", before=False, after=True, score_before=-4.0, score_after=-2.5,
             text="Human: question 1?", response_before=None, response_after="A plain answer."),
    )  # fmt: skip
    decision = Decision(
        "sft_dpo", "harmlessness", "HmR", "baseline", "fail", 10.0, change, 0.02, flips=flips
    )
    return GateResult(
        "baseline", (replace(decision, **fields),), plan="what these prompts can show"
    )


def many(total, text="A plain answer.", prompt="Human: question {} on it?", seed=7):
    """A document of `total` cases over four variants, two axes and two languages."""
    sample = results()
    made = []
    for place in range(total):
        base = sample.cases[place % len(sample.cases)]
        number = place // len(sample.cases)
        asked = Prompt(
            id=f"{base.prompt.id}x{number}",
            axis=base.prompt.axis,
            text=prompt.format(number),
            cluster=base.prompt.cluster,
            source="sample",
            language="de" if place % seed == 0 else "en",
        )
        score = round(base.value + (place * seed % 101) / 50, 4)
        response = replace(base.response, text=f"{text} {place}")
        made.append(replace(base, prompt=asked, value=score, response=response))
    return document(replace(sample, cases=tuple(made)))


@pytest.fixture(scope="session")
def documents():
    """Documents to open, by name."""
    findings = Findings(gate=gate())
    return {
        "gated": document(results(), findings),
        "passed": document(results(), Findings(gate=gate(own="pass"))),
        "plain": document(results()),
        "partial": document(results(complete=False, limit=10)),
        "hostile": document(results(text=HOSTILE), findings),
    }


@pytest.fixture(scope="session")
def page_of(tmp_path_factory):
    """Writes the page of a document; gives its path."""
    from alignment.reporting.page import page

    folder, made = tmp_path_factory.mktemp("pages"), {}

    def write(name, found):
        if name not in made:
            made[name] = folder / f"{name}.html"
            made[name].write_text(page(found, {"rates": FIGURE}), encoding="utf-8")
        return made[name]

    return write


@pytest.fixture(scope="session")
def pages(documents, page_of):
    """The pages of `documents`, by name."""
    return {name: page_of(name, found) for name, found in documents.items()}


@pytest.fixture(scope="session")
def many_cases():
    """`many`, for the tests of size."""
    return many
