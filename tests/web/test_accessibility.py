"""Everybody can use it: axe finds nothing serious, and keys do what a mouse does."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

TABS = ("reenact", "expressions", "live", "inside")


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_no_serious_fault(visit, tab, width, scheme):
    page = visit(tab, width, scheme)
    for summary in page.locator(f"#{tab} summary").all():
        summary.click()
    page.wait_for_timeout(300)
    found = Axe().run(page).response["violations"]
    serious = [
        f"{item['id']}: {item['help']} {item['nodes'][0]['html']}"
        for item in found
        if item["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_tabs_are_reached_by_keys(visit):
    page = visit()
    page.get_by_role("tab", name="Reenact").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Expressions")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Expressions")).to_be_visible()
    expect(page.locator("#reenact")).to_be_hidden()


def test_colours_can_be_chosen_and_are_remembered(visit):
    page = visit(scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("combobox", name="Colours").select_option("dark")
    assert page.evaluate(paper) != light
    page.reload()
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate(paper) != light
