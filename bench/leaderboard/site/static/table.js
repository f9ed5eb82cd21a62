"use strict";
// Sort and filter the board. What is chosen stands in the address, so that a link shows it.
(() => {
  const table = document.getElementById("board");
  const body = table.tBodies[0];
  const headings = [...table.tHead.querySelectorAll("th[data-key]")];
  const rows = [...body.rows];
  const query = document.getElementById("query");
  const tiers = [...document.querySelectorAll("input[name=tier]")];
  const count = document.getElementById("count");
  const columns = new Map(headings.map((h) => [h.dataset.key, h.cellIndex]));
  const text = new Set(headings.filter((h) => !h.classList.contains("number")).map((h) => h.dataset.key));
  const original = new Map(rows.map((row, index) => [row, index]));

  const read = () => {
    const found = new URLSearchParams(location.hash.slice(1));
    const shown = found.get("tiers");
    return {
      sort: columns.has(found.get("sort")) ? found.get("sort") : "",
      down: found.get("down") === "1",
      query: found.get("q") ?? "",
      tiers: shown === null ? null : new Set(shown.split(",")),
    };
  };

  let state = read();
  let written = "";

  const write = () => {
    const found = new URLSearchParams();
    if (state.sort) { found.set("sort", state.sort); if (state.down) found.set("down", "1"); }
    if (state.query) found.set("q", state.query);
    if (state.tiers) found.set("tiers", [...state.tiers].join(","));
    location.replace(`#${found}`);
    written = location.hash;
  };

  const value = (row, key) => {
    const cell = row.cells[columns.get(key)];
    const found = cell.dataset.value ?? cell.textContent.trim();
    return text.has(key) || found === "" ? found : Number(found);
  };

  const compare = (a, b) => {
    if (!state.sort) return original.get(a) - original.get(b);
    const x = value(a, state.sort), y = value(b, state.sort);
    if (x === "" || y === "") return (x === "") - (y === "") || original.get(a) - original.get(b);
    const sign = x < y ? -1 : x > y ? 1 : 0;
    return (state.down ? -sign : sign) || original.get(a) - original.get(b);
  };

  const show = () => {
    const wanted = state.query.toLowerCase();
    let visible = 0;
    for (const row of rows) {
      const kept = row.dataset.method.toLowerCase().includes(wanted) && (!state.tiers || state.tiers.has(row.dataset.tier));
      row.hidden = !kept;
      visible += kept;
    }
    body.append(...[...rows].sort(compare));
    for (const heading of headings) {
      if (heading.dataset.key === state.sort) heading.ariaSort = state.down ? "descending" : "ascending";
      else heading.removeAttribute("aria-sort");
    }
    if (query.value !== state.query) query.value = state.query;
    for (const tier of tiers) tier.checked = !state.tiers || state.tiers.has(tier.value);
    count.textContent = `${visible} of ${rows.length} rows`;
  };

  const choose = (change) => { state = { ...state, ...change }; show(); };

  for (const heading of headings) {
    heading.querySelector("button").addEventListener("click", () => {
      const key = heading.dataset.key;
      // numbers are wanted largest first, except places and costs
      const first = !text.has(key) && !["rank", "here", "cost"].includes(key);
      choose({ sort: key, down: state.sort === key ? !state.down : first });
      write();
    });
  }
  let later;
  query.addEventListener("input", () => {
    choose({ query: query.value });
    // browsers refuse an address that changes with every letter of a fast writer
    clearTimeout(later);
    later = setTimeout(write, 200);
  });
  for (const tier of tiers) {
    tier.addEventListener("change", () => {
      const kept = tiers.filter((t) => t.checked).map((t) => t.value);
      choose({ tiers: kept.length === tiers.length ? null : new Set(kept) });
      write();
    });
  }
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    // the link to the content chooses nothing; what was written here is known
    if (["#content", written].includes(location.hash)) return;
    written = "";
    state = read();
    show();
  });
  show();
})();
