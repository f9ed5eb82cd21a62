"""A real browser that reads the pages of a site from their folder."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

Scheme = Literal["light", "dark"]

PATIENCE = 20
"""Seconds after which a page that does nothing has failed."""

DRAWN = """
const charts = [...document.querySelectorAll(".chart")];
return charts.every((chart) => chart.dataset.drawn === "yes");
"""

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # containers allow none
    "--disable-gpu",
    "--disable-dev-shm-usage",  # theirs is small
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


def start(binary: str, driver: str, *, profile: Path) -> Chrome:
    """Start Chromium so that it writes down messages and requests."""
    options = ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    options.add_experimental_option("perfLoggingPrefs", {"enablePage": False})
    # both paths are given, so that Selenium looks for nothing to download
    return Chrome(options=options, service=Service(executable_path=driver))


@dataclass(frozen=True)
class Visitor:
    """Somebody who looks at the pages."""

    driver: Chrome
    folder: Path

    def open(
        self, page: str, *, state: str = "", width: int = 1280, scheme: Scheme = "light"
    ) -> None:
        """Open a page anew and wait until its charts are drawn."""
        self.look(width=width, scheme=scheme)
        # another fragment of the same page would not load it
        self.driver.get("about:blank")
        self.messages()
        self.requests()
        self.driver.get(self.address(page) + state)
        self.wait(lambda: self.run(DRAWN))

    def open_bare(self, page: str) -> None:
        """Open a page as those see it whose browser runs no scripts; it is fast."""
        self._emulate("Emulation.setScriptExecutionDisabled", value=True)
        self.driver.get(self.address(page))
        self._emulate("Emulation.setScriptExecutionDisabled", value=False)

    def look(self, *, width: int, scheme: Scheme) -> None:
        """Choose a width of the window in pixels, and light or dark pages."""
        self._emulate(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self._emulate(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def _emulate(self, command: str, **options: object) -> None:
        self.driver.execute_cdp_cmd(command, options)

    def address(self, page: str) -> str:
        """Return the address of a page."""
        return (self.folder / page).as_uri()

    def page(self) -> str:
        """Return which page is open, as its path in the site."""
        start, _, _ = self.driver.current_url.partition("#")
        return start.removeprefix(self.folder.as_uri() + "/")

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something holds."""
        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(
            lambda _: condition()
        )

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script on the page and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def messages(self) -> list[str]:
        """Return what the console has been told since the last look."""
        return [entry["message"] for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """Return the address of all that has been asked for since the last look."""
        events = [json.loads(e["message"])["message"] for e in self._log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def _log(self, name: str) -> list[dict[str, str]]:
        return self.driver.get_log(name)
