// The comparison's own part: the list of cells over all sides, its filters, and the evidence of each side.
(() => {
  const { $, data, h, targets, stories, pair, story, key, bare, route, cell, mark, label, values, facts, unpack, TAGS, setTheme } = netproof;
  const LINE = 32, SPARE = 15, PRINTED = 3000;
  const sides = data.sides.map((side) => ({ ...side, target: side.target < 0 ? null : targets[side.target] }));
  const columns = data.rows.map(unpack);
  const about = unpack(data.about.of).map((n) => data.about.table[n]);
  const where = unpack(data.where.of).map((n) => data.where.table[n]);
  const cnis = [...new Set(sides.map((side) => side.cni))];
  const latest = Object.fromEntries(cnis.map((cni) => [cni, sides.findIndex((side) => side.cni === cni && side.latest)]));

  const rows = about.map(([classes, fresh, gone, changed], n) => {
    const cells = columns.map((column) => column[n] - 1); // -1: this side does not have it
    const first = cells.findIndex((i) => i >= 0);
    const p = pair(sides[first].target, cells[first]);
    return { n, classes, fresh, gone, changed, cells, p, scenario: where[n][0], step: where[n][1], key: key(p) };
  });
  const storyOf = (row, s) => (row.cells[s] < 0 ? null : story(sides[s].target, row.cells[s]));
  const text = (row) => (row.text ||= [row.scenario, row.step, route(row.p), ...row.classes.map((name) => data.words[name]),
    ...row.cells.map((_, s) => { const t = storyOf(row, s); return t ? `${t.measured} ${t.outcome} ${t.verdict} ${t.standing}` : ""; })].join(" ").toLowerCase());

  // ---- state, kept in the address ---------------------------------------------------------------------------------
  const FILTERS = ["class", "scenario", "source", "destination", "verdict", "cni", "q"];
  const state = { all: false, open: -1 };
  function fromHash() {
    const raw = location.hash.slice(1), params = new URLSearchParams(raw);
    const [, anchor] = raw.match(/^([^=&]+)(?:&|$)/) || [];
    for (const name of FILTERS) state[name] = params.get(name) || "";
    state.all = params.get("all") === "1";
    if (params.has("theme")) setTheme(params.get("theme"));
    state.open = params.has("cell") ? rows.findIndex((row) => row.scenario === params.get("in") && row.key === params.get("cell") && (!params.has("step") || row.step === params.get("step"))) : -1;
    return anchor;
  }
  function toHash() {
    const row = rows[state.open];
    const parts = { ...Object.fromEntries(FILTERS.map((name) => [name, state[name]])), all: state.all ? "1" : "", in: row?.scenario, step: row?.step, cell: row?.key };
    const words = Object.entries(parts).filter(([, value]) => value)
      .map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%(2F|3A|2C)/g, (code) => decodeURIComponent(code))}`);
    try { history.replaceState(null, "", `#${words.join("&")}`); } catch { /* some viewers forbid it; the page works without */ }
  }

  // ---- filters ----------------------------------------------------------------------------------------------------
  const loud = new Set(data.loud);
  const concerns = (row, cni) => {
    const now = latest[cni], has = row.cells[now] >= 0;
    return row.fresh.includes(cni) || row.gone.includes(cni) || row.changed.includes(cni)
      || (has && storyOf(row, now).measured === "unmeasured")
      || (has && (row.classes.includes("differs") || row.classes.includes("how") || row.classes.includes("same")))
      || (row.classes.includes("only") && sides[now]?.state === "measured") || (has && row.classes.includes("alone"));
  };
  function matches(row, words, but) {
    if (but !== "class" && state.class && !row.classes.includes(state.class)) return false;
    if (but !== "class" && !state.class && !state.all && !row.classes.some((name) => loud.has(name))) return false;
    if (state.scenario && row.scenario !== state.scenario) return false;
    if (state.source && row.p.source !== state.source) return false;
    if (state.destination && bare(row.p.destination) !== state.destination) return false;
    if (state.cni && !concerns(row, state.cni)) return false;
    if (state.verdict) {
      const wanted = state.cni ? [latest[state.cni]] : row.cells.map((_, s) => s);
      if (!wanted.some((s) => s >= 0 && storyOf(row, s)?.verdict === state.verdict)) return false;
    }
    return words.every((word) => text(row).includes(word));
  }
  const distinct = (values) => [...new Set(values)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const CHOICES = {
    scenario: data.scenarios, source: distinct(rows.map((row) => row.p.source)), destination: distinct(rows.map((row) => bare(row.p.destination))),
    verdict: distinct(stories.map((s) => s.verdict)), cni: cnis,
  };
  for (const [name, choices] of Object.entries(CHOICES)) {
    $(name).replaceChildren(h("option", { value: "" }, "any"), ...choices.map((value) => h("option", { value }, value)));
    $(name).addEventListener("change", (event) => set({ [name]: event.target.value }));
  }
  $("q").addEventListener("input", (event) => set({ q: event.target.value }));
  $("differ").addEventListener("change", (event) => set({ all: !event.target.checked, ...(event.target.checked && !loud.has(state.class) ? { class: "" } : {}) }));
  $("reset").addEventListener("click", () => set({ ...Object.fromEntries(FILTERS.map((name) => [name, ""])), all: false }));
  function set(changes) {
    const held = document.activeElement?.dataset.class;
    Object.assign(state, changes);
    at = -1;
    list.scrollTop = 0;
    draw();
    toHash();
    if (held !== undefined) $("classes").querySelector(`[data-class="${held}"]`)?.focus();
  }

  // ---- the list ---------------------------------------------------------------------------------------------------
  const list = $("list");
  let lines = [], at = -1, drawn = "", body = null;
  function draw() {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const counts = {};
    let any = 0;
    lines = [];
    let last = "";
    for (const row of rows) {
      if (!matches(row, words, "class")) continue;
      any++;
      for (const name of row.classes) counts[name] = (counts[name] || 0) + 1;
      if (!matches(row, words)) continue;
      const head = [row.scenario, row.step].filter(Boolean).join(", ");
      if (head !== last) lines.push({ head });
      last = head;
      lines.push({ row });
    }
    controls(counts, any);
    const cells = lines.filter((line) => line.row).length;
    $("shown").textContent = `${cells.toLocaleString("en")} of ${rows.length.toLocaleString("en")} cells`;
    drawn = "";
    if (!cells) {
      list.replaceChildren(h("p", { class: "empty" }, state.q || FILTERS.some((name) => state[name]) ? "Nothing matches the filter." : "No cell differs. Switch “only rows that differ” off to see them all."));
      body = null;
      return;
    }
    body = h("tbody", {});
    list.replaceChildren(h("table", { "aria-rowcount": lines.length + 1 },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Cell"), sides.map((side) => h("th", { scope: "col", title: side.why }, side.label.split(" of ")[0], h("small", {}, side.label.split(" of ")[1] || (side.state === "measured" ? "" : side.state)))), h("th", { scope: "col" }, "What"))), body));
    render();
  }
  function render(all) {
    if (!body) return;
    let [from, to] = [0, lines.length - 1];
    if (all) to = Math.min(to, PRINTED);
    else if (lines.length > 200) {
      from = Math.max(0, Math.floor(list.scrollTop / LINE) - SPARE);
      to = Math.min(to, Math.ceil((list.scrollTop + Math.max(list.clientHeight, innerHeight * 0.7)) / LINE) + SPARE);
    }
    if ([from, to].join() === drawn) return;
    drawn = [from, to].join();
    const pad = (count) => count > 0 && h("tr", { "aria-hidden": "true", style: `height:${count * LINE}px` });
    const made = [pad(from)];
    for (let n = from; n <= to; n++) made.push(line(n));
    made.push(pad(lines.length - 1 - to));
    body.replaceChildren(...made.filter(Boolean));
  }
  function line(n) {
    const { head, row } = lines[n];
    if (head !== undefined) return h("tr", { class: "head" }, h("th", { colspan: sides.length + 2, scope: "rowgroup" }, head));
    const words = [];
    const marks = sides.map((side, s) => {
      const told = storyOf(row, s);
      if (told) words.push(`${side.label} ${told.measured}`);
      return h("td", { title: told && `${side.label}: intended ${told.intended}, specified ${told.specified}, measured ${told.measured} (${told.outcome}); ${label(told)}` },
        told ? mark(told) : h("span", { class: `absent${side.state === "measured" ? "" : " missing"}` }, side.absent[data.scenarios.indexOf(row.scenario)]));
    });
    return h("tr", { "data-n": n, role: "row", class: (n === at || row.n === state.open) && "at", "aria-label": `${route(row.p)}: ${words.join(", ")}` }, h("td", { title: route(row.p) }, route(row.p)), marks, h("td", {}, tags(row)));
  }
  const SHORT = { differs: "≠ differs", only: "only in some", how: "dropped ≠ rejected" };
  function tags(row) {
    const since = (cnis_) => (cnis.length > 1 ? ` on ${cnis_.join(", ")}` : "");
    const how = (cni) => label(storyOf(row, latest[cni]));
    return row.classes.filter((name) => name !== "same").map((name) => {
      if (name === "new") return h("span", { class: "tag new", title: row.fresh.map(how).join("; ") }, `✕ new${since(row.fresh)}`);
      if (name === "gone") return h("span", { class: "tag gone" }, `✓ gone${since(row.gone)}`);
      if (name === "changed") return h("span", { class: "tag quiet" }, `changed${since(row.changed)}`);
      return h("span", { class: `tag ${name === "differs" ? "differs-c" : "quiet"}`, title: data.words[name] }, SHORT[name] || data.words[name]);
    });
  }
  function controls(counts, any) {
    const chip = (name, words, number) => h("button", { type: "button", "data-class": name, "aria-pressed": String(state.class === name), onclick: () => set({ class: name, ...(name && !loud.has(name) ? { all: true } : {}) }) }, words, number !== undefined && h("span", { class: "n" }, number.toLocaleString("en")));
    $("classes").replaceChildren(chip("", "all kinds"), ...Object.keys(data.words).filter((name) => counts[name] || state.class === name)
      .filter((name) => loud.has(name) || state.all || state.class === name).map((name) => chip(name, data.words[name], counts[name] || 0)));
    for (const name of Object.keys(CHOICES)) $(name).value = state[name];
    $("differ").checked = !state.all;
    if ($("q").value !== state.q) $("q").value = state.q;
  }

  list.addEventListener("scroll", () => requestAnimationFrame(() => render()), { passive: true });
  list.addEventListener("click", (event) => {
    const tr = event.target.closest("tr[data-n]");
    if (tr) { go(Number(tr.dataset.n)); open(lines[at].row); }
  });
  list.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (move) {
      event.preventDefault();
      let n = Math.max(0, Math.min(lines.length - 1, at + move));
      while (lines[n] && !lines[n].row) n += Math.sign(move);
      if (lines[n]?.row) { go(n); if (!panel.hidden) open(lines[n].row); }
    } else if (event.key === "Enter" && lines[at]?.row) open(lines[at].row);
  });
  function go(n) {
    at = n;
    if (list.scrollTop > n * LINE - LINE) list.scrollTop = n * LINE - LINE;
    if (list.scrollTop + list.clientHeight < (n + 3) * LINE) list.scrollTop = (n + 3) * LINE - list.clientHeight;
    drawn = "";
    render();
  }
  addEventListener("beforeprint", () => render(true));
  addEventListener("afterprint", () => { drawn = ""; render(); });

  // ---- evidence of all sides --------------------------------------------------------------------------------------
  const panel = $("panel");
  function open(row) {
    state.open = row.n;
    panel.replaceChildren(
      h("header", {}, h("h3", {}, route(row.p)), h("button", { type: "button", class: "plain", "aria-label": "Close the evidence", onclick: close }, "Esc ✕")),
      h("div", { class: "meta" }, tags(row), h("span", {}, [row.scenario, row.step].filter(Boolean).join(", "))),
      h("div", { class: "sides" }, sides.map((side, s) => section(row, side, s))));
    panel.hidden = false;
    panel.scrollTop = 0;
    drawn = "";
    render();
    toHash();
  }
  function section(row, side, s) {
    if (row.cells[s] < 0) return h("section", {}, h("h4", {}, side.label, h("span", { class: "tag quiet" }, side.absent[data.scenarios.indexOf(row.scenario)])), h("p", { class: "soft" }, side.why ? `${side.why}. ` : "", "Nothing is known of this cell here."));
    const one = cell(side.target, row.cells[s]);
    return h("section", {}, h("h4", {}, side.label, h("span", { class: `tag ${TAGS[one.standing] || "quiet"}` }, label(one))), values(one), h("dl", { class: "facts" }, facts(one)));
  }
  function close() {
    if (panel.hidden) return;
    panel.hidden = true;
    state.open = -1;
    drawn = "";
    render();
    toHash();
    list.focus({ preventScroll: true });
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });

  // ---- start ------------------------------------------------------------------------------------------------------
  function follow() {
    const anchor = fromHash();
    const row = rows[state.open];
    if (row && !matches(row, [])) state.all = true;
    draw();
    panel.hidden = !row;
    if (row) {
      const n = lines.findIndex((one) => one.row === row);
      $("cells").scrollIntoView({ behavior: "instant" });
      if (n >= 0) go(n);
      open(row);
      return;
    }
    const place = anchor ? $(anchor) : location.hash.length > 1 && $("cells");
    if (place) place.scrollIntoView({ behavior: "instant" });
  }
  $("cells-app").hidden = !rows.length;
  follow();
  addEventListener("hashchange", follow);
})();
