// The engines' own part: which rows are shown. The tables are there without it, with all rows.
(() => {
  const { $, setTheme } = netproof;
  const chips = [...document.querySelectorAll("#filters [data-kind]")];
  const rows = [...document.querySelectorAll("tr[data-kind]")];
  const groups = [...document.querySelectorAll(".intent")];
  const state = { kind: "loud", q: "" };
  const loud = rows.some((row) => row.classList.contains("loud"));
  if (!loud) state.kind = "";

  function draw() {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = state.kind === "" || (state.kind === "loud" ? row.classList.contains("loud") : row.dataset.kind === state.kind);
      const text = words.length ? `${row.closest(".intent").id} ${row.innerText || row.textContent}`.toLowerCase() : "";
      row.hidden = !(fits && words.every((word) => text.includes(word)));
      if (!row.hidden) shown += Number(row.dataset.n);
    }
    for (const group of groups) {
      const any = [...group.querySelectorAll("tr[data-kind]")].some((row) => !row.hidden);
      group.querySelector(".scroll").hidden = !any;
      group.querySelector(".none").hidden = any;
    }
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.kind === state.kind));
    $("shown").textContent = `${shown.toLocaleString("en")} ${shown === 1 ? "cell" : "cells"}`;
  }
  function fromHash() {
    const params = new URLSearchParams(location.hash.slice(1));
    if (params.has("theme")) setTheme(params.get("theme"));
    if (params.has("kind")) state.kind = params.get("kind");
    if (params.has("q")) $("q").value = state.q = params.get("q");
    draw();
    // Hiding rows has moved what the address names.
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
  for (const chip of chips) chip.addEventListener("click", () => { state.kind = chip.dataset.kind; draw(); });
  $("q").addEventListener("input", () => { state.q = $("q").value; draw(); });
  addEventListener("hashchange", fromHash);
  $("filters").hidden = false;
  fromHash();
})();
