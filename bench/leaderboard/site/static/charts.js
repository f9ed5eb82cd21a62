"use strict";
// Draw the specifications of the page into the places that are named after them.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const AXIS = 60;

  const config = () => {
    const ink = dark.matches ? "#e8e8ec" : "#1b1b1f";
    const line = dark.matches ? "#3a3a44" : "#d5d5dc";
    const words = { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12 };
    // no room for names beside the lines: each goes above its own
    const above = { labelAlign: "left", labelPadding: -4, labelOffset: -9, ticks: false };
    return {
      background: "transparent",
      font: "system-ui, sans-serif",
      view: { stroke: line },
      axis: { ...words, gridColor: line, domainColor: line, tickColor: line },
      legend: { ...words, orient: "top" },
      header: { ...words, labelFontSize: 13 },
      text: { color: ink, fontSize: 12 },
      style: { beside: narrow.matches ? above : {} },
    };
  };

  const fitted = (spec, place) => {
    if (!spec.spec) return { ...spec, ...(narrow.matches ? spec.usermeta?.narrow : {}) };
    const width = Math.max(spec.spec.width, place.clientWidth - AXIS);
    return { ...spec, spec: { ...spec.spec, width } };
  };

  const draw = () => {
    for (const [name, spec] of Object.entries(specs)) {
      const place = document.getElementById(`chart-${name}`);
      // Vega would give the place itself another role and name
      const inside = document.createElement("div");
      place.replaceChildren(inside);
      const tooltip = { theme: dark.matches ? "dark" : "light" };
      vegaEmbed(inside, fitted(spec, place), { actions: false, renderer: "svg", config: config(), tooltip })
        .then(() => { place.dataset.drawn = "yes"; })
        .catch((error) => { place.textContent = `This chart cannot be drawn: ${error.message}`; });
    }
  };
  for (const query of [dark, narrow]) query.addEventListener("change", draw);
  draw();
})();
