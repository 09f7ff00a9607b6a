# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links between the pages of the repository lead somewhere."""

from __future__ import annotations

import re

from tests.helpers.tree import ROOT, files, load

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def anchors(text: str) -> set[str]:
    """Return the anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def leads_somewhere(page: str, link: str) -> bool:
    """Tell whether a relative link of a page names a file, and an anchor one of its headings."""
    target, _, anchor = link.partition("#")
    if "://" in target or target.startswith("mailto:"):
        return True
    file = (ROOT / page).parent / target if target else ROOT / page
    if anchor and file.suffix == ".md":
        return file.is_file() and anchor in anchors(file.read_text(encoding="utf-8"))
    return file.exists()


def test_links_lead_to_files_and_headings_that_exist() -> None:
    texts = {page: FENCE.sub("", (ROOT / page).read_text(encoding="utf-8")) for page in files(".md")}
    links = [(page, link) for page, text in texts.items() for link in LINK.findall(text)]
    assert links
    assert [(page, link) for page, link in links if not leads_somewhere(page, link)] == []


def test_each_page_of_the_documentation_is_reached_from_the_index_of_its_folder() -> None:
    pages = {ROOT / page for page in files(".md", under="docs/")}
    indexes = {page for page in pages if page.name == "README.md"}
    linked = {(index.parent / link).resolve() for index in indexes for link in LINK.findall(index.read_text("utf-8"))}
    assert pages - linked == {ROOT / "docs" / "README.md"}


def test_the_readme_shows_only_variables_that_the_roles_know() -> None:
    entries = load("roles/common/meta/argument_specs.yml")["argument_specs"]
    known = {option for entry in entries.values() for option in entry["options"]}
    shown = set(re.findall(r"`(ollama_[a-z_]+)`", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert shown - known - {"ollama_targets"} == set()
