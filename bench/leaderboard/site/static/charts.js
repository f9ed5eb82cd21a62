"use strict";
// Draw the specifications of the page into the places that are named after them.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const draw = () => {
    const ink = dark.matches ? "#e8e8ec" : "#1b1b1f";
    const line = dark.matches ? "#3a3a44" : "#d5d5dc";
    const config = {
      background: "transparent",
      view: { stroke: line },
      axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line },
      legend: { labelColor: ink, titleColor: ink },
      header: { labelColor: ink, titleColor: ink },
    };
    for (const [name, spec] of Object.entries(specs)) {
      const place = document.getElementById(`chart-${name}`);
      vegaEmbed(place, spec, { actions: false, renderer: "svg", config })
        .then(() => { place.dataset.drawn = "yes"; })
        .catch((error) => { place.textContent = `This chart cannot be drawn: ${error.message}`; });
    }
  };
  dark.addEventListener("change", draw);
  draw();
})();
