"""Hostile responses on the page, in a real browser: everything is opened, and nothing runs."""

import pytest

from alignment.reporting.page import page
from support.hostile import document

OPEN = "document.querySelectorAll('details').forEach(each => { each.open = true })"
CLICK = """
document.querySelectorAll('button, input[type=checkbox]').forEach(each => each.click())
"""
TOUCH = """
for (const each of document.querySelectorAll('*')) {
  for (const name of ['mouseover', 'mouseenter', 'focus', 'error', 'load', 'toggle'])
    if (!['SCRIPT', 'STYLE'].includes(each.tagName)) each.dispatchEvent(new Event(name))
}
"""


@pytest.fixture
def opened(browser, tmp_path):
    """The page of a report full of hostile texts, and a trap: what ran, asked or was fetched."""
    report = document()
    (file := tmp_path / "report.html").write_text(page(report, {}), encoding="utf-8")
    tab, caught = browser.new_page(), []
    tab.on("dialog", lambda dialog: (caught.append(("dialog", dialog.message)), dialog.dismiss()))
    tab.on("request", lambda request: caught.append(("request", request.url)))
    tab.on("popup", lambda popup: caught.append(("popup", popup.url)))
    tab.on("pageerror", lambda error: caught.append(("error", str(error))))
    tab.goto(file.as_uri())
    caught[:] = [each for each in caught if each[1] != file.as_uri()]
    yield tab, report, caught
    tab.close()


def what_ran(tab, caught):
    """Everything that the trap caught, and whether a script got through."""
    return caught + ["pwned"] * (tab.evaluate("typeof window.pwned") != "undefined")


def test_nothing_runs_when_everything_is_opened(opened):
    tab, _, caught = opened
    tab.evaluate(OPEN)
    tab.evaluate(CLICK)
    tab.evaluate(OPEN)
    tab.evaluate(TOUCH)
    tab.wait_for_timeout(200)
    assert what_ran(tab, caught) == []


def test_nothing_runs_when_cases_are_opened_by_their_links(opened):
    tab, _, caught = opened
    links = tab.eval_on_selector_all(
        "a[href^='#case=']", "found => found.map(each => each.getAttribute('href'))"
    )
    for link in dict.fromkeys([*links, "#case=<img src=x onerror=alert(1)>", "#case=%00%ff"]):
        tab.evaluate("link => { location.hash = link }", link)
        tab.evaluate(OPEN)
    tab.wait_for_timeout(200)
    assert what_ran(tab, caught) == []


def test_the_texts_are_there_to_be_read(opened):
    """Escaped, not left out: what a script tag says is text on the page or in its data."""
    tab, _, _ = opened
    tab.evaluate(OPEN)
    assert "</textarea>" in tab.evaluate("document.documentElement.textContent")
