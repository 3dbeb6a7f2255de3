// The report's own part: the matrix and the evidence of its cells. What is shown is kept in the address.
(() => {
  const { $, data, h, stories, targets, pairs, pair, story, key, bare, route, cell, seconds, mark, label, setTheme } = netproof;
  const { TAGS, values, facts, row } = netproof;
  const ROW = 28, HEAD = 66, OVERSCAN = 12;

  const TABS = [
    ["pod", "By pod address"],
    ["service", "By Service address"],
    ["outside", "Outside & nodes"],
    ["dns", "DNS"],
  ];
  const tabOfPair = pairs.map(({ source, destination, via, kind }) => {
    if (kind === "lookup" || via === "name" || /^(svc:)?kube-system\/(kube-dns|coredns)/.test(destination)) return "dns";
    if (via === "nodeport" || via === "address" || /^(external|node):/.test(source) || /^(external|node):/.test(destination)) return "outside";
    return via === "service" ? "service" : "pod";
  });
  const columnOf = pairs.map((p) => `${p.destination}:${p.port}/${p.protocol}/${p.via}/${p.kind}/${p.family}`);

  // ---- state, kept in the address ---------------------------------------------------------------------------------
  const state = { step: -1, cni: "", tab: "", differ: false, q: "", cell: "" };

  function fromHash() {
    const raw = location.hash.slice(1);
    const [, anchor] = raw.match(/^([^=&]+)(?:&|$)/) || [];
    const params = new URLSearchParams(raw);
    const scenario = params.get("scenario");
    if (scenario !== null) {
      const step = params.get("step");
      const found = data.steps.findIndex(([id, name]) => id === scenario && (step === null || name === step));
      if (found >= 0) state.step = found;
    }
    if (params.has("cni")) state.cni = targets.some((t) => t.cni === params.get("cni")) ? params.get("cni") : "";
    if (params.has("tab")) state.tab = params.get("tab");
    if (params.has("differ")) state.differ = params.get("differ") === "1";
    if (params.has("q")) state.q = params.get("q");
    if (params.has("theme")) setTheme(params.get("theme"));
    state.cell = params.get("cell") || "";
    return anchor;
  }
  function toHash() {
    const [scenario, step] = data.steps[state.step] || [];
    const parts = { scenario, step, cni: open ? open.cni : state.cni, tab: state.tab, differ: state.differ ? "1" : "", q: state.q, cell: state.cell };
    const words = Object.entries(parts).filter(([, value]) => value)
      .map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%(2F|3A|2C)/g, (code) => decodeURIComponent(code))}`);
    try { history.replaceState(null, "", `#${words.join("&")}`); } catch { /* some viewers forbid it; the page works without */ }
  }
  // ---- the matrix -------------------------------------------------------------------------------------------------
  const grid = $("grid");
  let view = { rows: [], columns: [], shown: [] };
  let body, focus = { r: 0, t: 0, c: 0 }, drawn = "";

  function build() {
    const rows = new Map(), columns = new Map(), found = {};
    for (const target of targets) {
      for (const i of target.steps[state.step]) {
        const tab = tabOfPair[target.pair[i]];
        const counts = (found[tab] ||= { cells: 0, bad: 0 });
        const { standing } = story(target, i);
        counts.cells++;
        if (standing === "differs" && (!state.cni || state.cni === target.cni)) counts.bad++;
        if (tab !== state.tab) continue;
        const p = pair(target, i);
        if (!rows.has(p.source)) rows.set(p.source, { source: p.source, cells: targets.map(() => new Map()) });
        const id = columnOf[target.pair[i]];
        if (!columns.has(id)) columns.set(id, { id, ...p });
        rows.get(p.source).cells[target.index].set(id, i);
      }
    }
    return { rows: [...rows.values()], columns: [...columns.values()], found };
  }

  function differs(row, shown) {
    const standings = shown.flatMap((t) => [...row.cells[t.index].values()].map((i) => story(t, i)));
    if (standings.some((s) => s.standing !== "holds")) return true;
    const first = row.cells[shown[0].index];
    return shown.slice(1).some((t) => [...row.cells[t.index]].some(([id, i]) =>
      first.has(id) && story(shown[0], first.get(id)).measured !== story(t, i).measured));
  }

  function draw() {
    const { rows, columns, found } = build();
    if (!found[state.tab] && Object.keys(found).length) {
      const tabs = TABS.map(([id]) => id).filter((id) => found[id]);
      state.tab = tabs.find((id) => found[id].bad) || tabs[0];
      return draw();
    }
    const shown = targets.filter((t) => !state.cni || t.cni === state.cni);
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (c) => `${c.destination}:${c.port}/${c.protocol}`.toLowerCase();
    let kept = rows, wide = columns;
    if (words.length) {
      const hits = (where) => words.every((word) => where.includes(word));
      wide = columns.filter((c) => hits(text(c)));
      const inRows = rows.filter((row) => hits(row.source.toLowerCase()));
      if (inRows.length) kept = inRows;
      if (!wide.length) wide = inRows.length ? columns : [];
      if (!wide.length) kept = [];
    }
    if (state.differ) kept = kept.filter((row) => differs(row, shown));
    // Columns of one destination stand together, in the order of the rows, so that the diagonal is a diagonal.
    const order = new Map([...new Set([...rows.map((row) => row.source), ...columns.map((c) => bare(c.destination))])].map((id, n) => [id, n]));
    wide = [...wide].sort((a, b) => order.get(bare(a.destination)) - order.get(bare(b.destination)) || a.destination.localeCompare(b.destination));
    wide.forEach((c, n) => { c.group = n === 0 || wide[n - 1].destination !== c.destination; });
    view = { rows: kept, columns: wide, shown, starts: [0], mates: new Map() };
    for (const c of wide) view.mates.set(c.destination, (view.mates.get(c.destination) || 0) + 1);
    for (const c of wide) view.starts.push(view.starts.at(-1) + (c.width = width(c)));
    controls(found);
    drawn = "";
    if (!kept.length || !wide.length) {
      grid.replaceChildren(h("p", { class: "empty" }, state.differ && !words.length ? "No row differs here." : words.length ? "Nothing matches the filter." : "No cells here."));
      return undefined;
    }
    focus.r = Math.min(focus.r, kept.length - 1);
    focus.t = Math.min(focus.t, shown.length - 1);
    focus.c = Math.min(focus.c, wide.length - 1);
    const several = shown.length > 1;
    body = h("tbody", {});
    const table = h("table", { role: "grid", "aria-label": `Matrix of ${data.steps[state.step][0]}`, "aria-rowcount": kept.length * shown.length + 2 },
      h("colgroup", {}, h("col", { style: `width:${named()[0]}px` }), several && h("col", { style: `width:${named()[1]}px` }), wide.map((c) => h("col", { style: `width:${c.width}px` }))),
      head(wide, several), body);
    grid.replaceChildren(table);
    table.style.width = `${margin() + view.starts.at(-1)}px`;
    render();
    return undefined;
  }

  const named = () => (innerWidth > 720 ? [190, 76] : [104, 58]); // widths of the columns that name a row: source, CNI
  const margin = () => named()[0] + (view.shown.length > 1 ? named()[1] : 0);
  function width(column) {
    const mates = view.mates.get(column.destination);
    const name = split(column.destination)[1], space = above(column);
    return Math.max(54, Math.min(110, Math.ceil((Math.max(name.length * 7.2, space.length * 5.8) + 12) / mates)));
  }
  function split(endpoint) {
    const plain = bare(endpoint), at = plain.search(/[/:]/);
    return at < 0 ? ["", plain] : [plain.slice(0, at), plain.slice(at + 1)];
  }
  const above = (column) => (column.via === "nodeport" ? "node port" : split(column.destination)[0]);
  function head(columns, several) {
    const groups = [];
    for (const c of columns) {
      if (c.group) groups.push({ destination: c.destination, via: c.via, span: 0 });
      groups.at(-1).span++;
    }
    return h("thead", {},
      h("tr", {}, h("th", { class: "corner", scope: "col", colspan: several ? 2 : 1, rowspan: 1 }, "from ↓  to →"),
        groups.map((g) => {
          const name = split(g.destination)[1];
          return h("th", { scope: "colgroup", colspan: g.span, class: "group", title: bare(g.destination) }, h("small", {}, above(g)), name);
        })),
      h("tr", {}, h("th", { class: "corner", colspan: several ? 2 : 1 }),
        columns.map((c) => h("th", { scope: "col", class: c.group && "group" },
          `${c.port}${c.protocol === "TCP" ? "" : " " + c.protocol}${c.family === 6 ? " v6" : ""}${state.tab === "dns" && c.protocol === "TCP" ? " TCP" : ""}`))));
  }

  // Only what is in view is in the page; spacers stand for the rest.
  function render(all) {
    if (!body || !view.rows.length) return;
    const high = ROW * view.shown.length, lastColumn = view.columns.length - 1;
    let [from, to, left, right] = [0, view.rows.length - 1, 0, lastColumn];
    if (!all && view.rows.length * view.shown.length * view.columns.length > 3000) {
      const spare = Math.ceil(OVERSCAN / view.shown.length), { scrollLeft, scrollTop, clientWidth } = grid;
      const tall = Math.max(grid.clientHeight, innerHeight * 0.8); // the box is still flat at the first drawing
      from = Math.max(0, Math.floor((scrollTop - HEAD) / high) - spare);
      to = Math.min(to, Math.ceil((scrollTop + tall) / high) + spare);
      left = Math.max(0, view.starts.findIndex((start) => start > scrollLeft) - 6);
      const beyond = view.starts.findIndex((start) => start > scrollLeft + clientWidth);
      right = beyond < 0 ? lastColumn : Math.min(lastColumn, beyond + 4);
    }
    if ([from, to, left, right].join() === drawn) return;
    drawn = [from, to, left, right].join();
    const pad = (count) => count > 0 && h("tr", { class: "pad", "aria-hidden": "true", style: `height:${count * high}px` });
    const rows = [pad(from)];
    for (let r = from; r <= to; r++) rows.push(...rowsOf(r, left, right));
    rows.push(pad(view.rows.length - 1 - to));
    const hadFocus = grid.contains(document.activeElement) && document.activeElement.tagName === "TD";
    body.replaceChildren(...rows.filter(Boolean));
    if (hadFocus) at(focus)?.focus({ preventScroll: true });
    // Tab must always find a way in, also when the cell that had the focus is out of sight or empty.
    if (!body.querySelector('td[tabindex="0"]')) body.querySelector("td[data-i]")?.setAttribute("tabindex", "0");
  }

  function rowsOf(r, left, right) {
    const row = view.rows[r];
    return view.shown.map((target, t) => {
      const [space, name] = split(row.source);
      const line = h("tr", { class: t === 0 && "first", "data-r": r, "aria-rowindex": r * view.shown.length + t + 3 });
      if (t === 0) line.append(h("th", { scope: "rowgroup", rowspan: view.shown.length, title: row.source }, h("small", {}, `${space}${space && (row.source.includes("/") ? "/" : ":")}`), name));
      if (view.shown.length > 1) line.append(h("th", { scope: "row", class: "cni" }, target.cni));
      const blank = (count) => count > 0 && line.append(h("td", { colspan: count, "aria-hidden": "true" }));
      blank(left);
      for (let c = left; c <= right; c++) {
        const column = view.columns[c], i = row.cells[target.index].get(column.id);
        const td = document.createElement("td");
        if (column.group) td.className = "group";
        if (i !== undefined) {
          const s = story(target, i);
          td.dataset.i = i;
          td.dataset.t = t;
          td.dataset.c = c;
          td.dataset.r = r;
          td.tabIndex = r === focus.r && t === focus.t && c === focus.c ? 0 : -1;
          td.setAttribute("aria-label", `${route(pair(target, i))} on ${target.cni}: intended ${s.intended}, specified ${s.specified}, measured ${s.measured}; ${label(s)}`);
          if (state.cell && state.cell === key(pair(target, i)) && open && open.cni === target.cni) td.classList.add("open");
          td.append(mark(s));
        }
        line.append(td);
      }
      blank(view.columns.length - 1 - right);
      return line;
    });
  }
  const at = ({ r, t, c }) => body && body.querySelector(`td[data-r="${r}"][data-t="${t}"][data-c="${c}"]`);
  const has = ({ r, t, c }) => view.rows[r] && view.shown[t] && view.columns[c] && view.rows[r].cells[view.shown[t].index].has(view.columns[c].id);

  function go(to) {
    for (const old of grid.querySelectorAll('td[tabindex="0"]')) old.tabIndex = -1;
    focus = to;
    const high = ROW * view.shown.length, top = to.r * high + to.t * ROW;
    if (grid.scrollTop > top) grid.scrollTop = top;
    if (grid.scrollTop + grid.clientHeight < top + HEAD + ROW) grid.scrollTop = top + HEAD + ROW - grid.clientHeight + 16;
    reveal();
    render();
    const td = at(to);
    if (!td) return;
    td.tabIndex = 0;
    td.focus({ preventScroll: true });
    const box = td.getBoundingClientRect();
    if (box.top < 60 || box.bottom > innerHeight) td.scrollIntoView({ block: "center", inline: "nearest" });
  }
  function reveal() {
    const { scrollLeft, clientWidth } = grid, left = view.starts[focus.c], right = view.starts[focus.c + 1];
    if (left < scrollLeft) grid.scrollLeft = left - 40;
    else if (right + margin() > scrollLeft + clientWidth) grid.scrollLeft = right + margin() - clientWidth + 40;
  }
  function step(dy, dx) {
    let line = focus.r * view.shown.length + focus.t, c = focus.c;
    const lines = view.rows.length * view.shown.length;
    for (;;) { // over the empty cells, where a pod would dial itself
      line += dy;
      c += dx;
      if (line < 0 || c < 0 || line >= lines || c >= view.columns.length) return;
      const to = { r: Math.floor(line / view.shown.length), t: line % view.shown.length, c };
      if (has(to)) return go(to);
    }
  }
  function edge(columns) {
    const all = view.columns.map((_, c) => c);
    const c = (columns > 0 ? all.reverse() : all).find((n) => has({ ...focus, c: n }));
    if (c !== undefined) go({ ...focus, c });
  }
  const KEYS = {
    ArrowUp: () => step(-1, 0), ArrowDown: () => step(1, 0), ArrowLeft: () => step(0, -1), ArrowRight: () => step(0, 1),
    Home: () => edge(-1), End: () => edge(1),
    PageUp: () => { for (let n = 0; n < 10; n++) step(-1, 0); }, PageDown: () => { for (let n = 0; n < 10; n++) step(1, 0); },
    Enter: () => show(focus), " ": () => show(focus),
  };
  const spot = (td) => ({ r: Number(td.dataset.r), t: Number(td.dataset.t), c: Number(td.dataset.c) });

  grid.addEventListener("keydown", (event) => {
    if (event.target.tagName !== "TD" || !KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  grid.addEventListener("scroll", () => { hideTip(); requestAnimationFrame(() => render()); }, { passive: true });
  grid.addEventListener("click", (event) => {
    const td = event.target.closest("td[data-i]");
    if (td) { go(spot(td)); show(focus); }
  });
  addEventListener("beforeprint", () => render(true));
  addEventListener("afterprint", () => { drawn = ""; render(); });

  // ---- tooltip ----------------------------------------------------------------------------------------------------
  const tip = $("tip");
  const hideTip = () => { tip.hidden = true; };
  function showTip(td) {
    const target = view.shown[td.dataset.t], i = Number(td.dataset.i), s = story(target, i);
    tip.replaceChildren(h("b", {}, route(pair(target, i))), `intended ${s.intended}, specified ${s.specified}, measured ${s.measured}`, h("br"), `${target.cni}: ${label(s)}`);
    tip.hidden = false;
    const box = td.getBoundingClientRect(), size = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(innerWidth - size.width - 8, box.left + box.width / 2 - size.width / 2))}px`;
    tip.style.top = `${box.top - size.height - 8 > 50 ? box.top - size.height - 8 : box.bottom + 8}px`;
  }
  function hot(td) {
    for (const old of grid.querySelectorAll(".hot")) old.classList.remove("hot");
    if (!td) return;
    grid.querySelectorAll("thead tr:last-child th")[Number(td.dataset.c) + 1]?.classList.add("hot");
    body.querySelector(`tr.first[data-r="${td.dataset.r}"] th`)?.classList.add("hot");
  }
  for (const [on, off] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
    grid.addEventListener(on, (event) => {
      const td = event.target.closest("td[data-i]");
      if (!td) return;
      if (on === "focusin") focus = spot(td);
      showTip(td);
      hot(td);
    });
    grid.addEventListener(off, () => { hideTip(); hot(null); });
  }

  // ---- evidence of a cell -----------------------------------------------------------------------------------------
  const panel = $("panel");
  let open = null;

  function show({ r, t, c }) {
    const target = view.shown[t];
    openCell(target, view.rows[r].cells[target.index].get(view.columns[c].id));
    panel.focus({ preventScroll: true });
  }
  function openCell(target, i) {
    const one = cell(target, i);
    open = { cni: target.cni, i };
    state.cell = key(one);
    hideTip();
    for (const old of grid.querySelectorAll("td.open")) old.classList.remove("open");
    grid.querySelector(`td[data-i="${i}"][data-t="${view.shown.indexOf(target)}"]`)?.classList.add("open");
    panel.replaceChildren(...evidence(target, one));
    panel.hidden = false;
    panel.scrollTop = 0;
    const room = panel.getBoundingClientRect().left - grid.getBoundingClientRect().left - 16;
    if (room > 360) grid.style.maxWidth = `${room}px`; // the cell stays in sight beside its evidence
    reveal();
    toHash();
  }
  function close() {
    if (panel.hidden) return;
    panel.hidden = true;
    grid.style.maxWidth = "";
    open = null;
    state.cell = "";
    for (const old of grid.querySelectorAll("td.open")) old.classList.remove("open");
    at(focus)?.focus({ preventScroll: true });
    hideTip();
    toHash();
  }
  function evidence(target, one) {
    const others = targets.filter((t) => t !== target).map((t) => [t, twin(t, one)]).filter(([, i]) => i !== undefined);
    return [
      h("header", {}, h("h3", {}, route(one)), h("button", { type: "button", class: "plain", "aria-label": "Close the evidence", onclick: close }, "Esc ✕")),
      h("div", { class: "meta" }, h("span", { class: `tag ${TAGS[one.standing] || "quiet"}` }, label(one)), h("span", { class: "tag quiet" }, target.name), h("span", {}, data.steps[state.step].filter(Boolean).join(", "))),
      values(one),
      h("dl", { class: "facts" },
        facts(one),
        others.length ? row("Other CNIs", h("ul", { class: "others" }, others.map(([t, i]) => {
          const s = story(t, i);
          return h("li", {}, mark(s), h("button", { type: "button", class: "plain", onclick: () => openCell(t, i) }, t.cni), `measured ${s.measured}, ${label(s)}`);
        }))) : []),
    ];
  }
  function twin(target, one) {
    const wanted = key(one);
    return target.steps[state.step].find((i) => key(pair(target, i)) === wanted);
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });

  // ---- controls ---------------------------------------------------------------------------------------------------
  const bad = new Set();
  function fillScenarios() {
    for (const t of targets) t.story.forEach((n, i) => { if (stories[n].standing === "differs") bad.add(t.step[i]); });
    const many = new Map();
    for (const [id] of data.steps) many.set(id, (many.get(id) || 0) + 1);
    const option = ([id, name], n) => h("option", { value: n }, `${bad.has(n) ? "✕ " : ""}${id}${many.get(id) > 1 ? `, ${name}` : ""}`);
    $("scenario").replaceChildren(...data.steps.map(option));
  }
  function controls(found) {
    $("scenario").value = state.step;
    $("differ").checked = state.differ;
    if ($("filter").value !== state.q) $("filter").value = state.q;
    const chip = (name, text, on, extra, click) => h("button", { type: "button", [name]: String(on), onclick: click, ...extra }, text);
    $("cnis").hidden = targets.length < 2;
    $("cnis").replaceChildren(
      chip("aria-pressed", "all CNIs", !state.cni, {}, () => set({ cni: "" })),
      ...targets.map((t) => chip("aria-pressed", t.cni, state.cni === t.cni, {}, () => set({ cni: t.cni }))));
    $("tabs").replaceChildren(...TABS.filter(([id]) => found[id]).map(([id, text]) => {
      const button = chip("aria-selected", text, state.tab === id, { role: "tab", "data-tab": id, tabindex: state.tab === id ? 0 : -1 }, () => set({ tab: id }));
      if (found[id].bad) button.append(h("span", { class: "n", title: "undeclared differences" }, `✕ ${found[id].bad}`));
      return button;
    }));
  }
  function set(changes) {
    const held = document.activeElement?.textContent, box = document.activeElement?.parentElement?.id;
    Object.assign(state, changes);
    if (!panel.hidden && ("step" in changes || "tab" in changes)) close();
    draw();
    toHash();
    if (box === "cnis" || box === "tabs") [...$(box).children].find((child) => child.textContent === held)?.focus();
  }
  $("scenario").addEventListener("change", (event) => set({ step: Number(event.target.value) }));
  $("differ").addEventListener("change", (event) => set({ differ: event.target.checked }));
  $("filter").addEventListener("input", (event) => set({ q: event.target.value }));
  $("tabs").addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    const all = [...$("tabs").children], next = all[(all.indexOf(document.activeElement) + move + all.length) % all.length];
    set({ tab: next.dataset.tab });
    $("tabs").querySelector('[aria-selected="true"]').focus();
  });

  function legend() {
    const c = "connected", d = "denied";
    const samples = [
      [[c, c, c, "holds", "holds"], "holds, connected"],
      [[d, d, d, "holds", "holds"], "holds, denied"],
      [[d, d, c, "cni-difference", "differs"], "undeclared: solid frame"],
      [[d, c, c, "policy-defect", "documented"], "documented: dashed"],
      [[d, c, d, "masked-defect", "known"], "known difference: dotted, round"],
      [[d, "unspecified", d, "unspecified", "unspecified"], "left open by the API"],
      [[d, d, "unmeasured", "unmeasured", "unmeasured"], "not measured"],
    ];
    $("legend").replaceChildren(h("span", {}, "In each cell: intended · specified · measured"), ...samples.map(([[intended, specified, measured, verdict, standing], text]) =>
      h("span", {}, mark({ intended, specified, measured, verdict, standing }), text)));
  }
  // ---- start ------------------------------------------------------------------------------------------------------
  function follow() {
    const anchor = fromHash();
    if (!data.steps.length) return;
    if (state.cell) {
      const home = targets.find((t) => t.cni === state.cni) || targets.find((t) => locate(t) !== undefined);
      const i = home && locate(home);
      if (i !== undefined) {
        const cellKey = state.cell;
        state.tab = tabOfPair[home.pair[i]];
        state.q = "";
        state.differ = false;
        state.cni = "";
        draw();
        state.cell = cellKey;
        const p = pair(home, i), r = view.rows.findIndex((row) => row.source === p.source);
        const c = view.columns.findIndex((column) => view.rows[r].cells[home.index].get(column.id) === i);
        $("matrix").scrollIntoView({ behavior: "instant" });
        go({ r, t: view.shown.indexOf(home), c });
        openCell(home, i);
        return;
      }
    }
    panel.hidden = true;
    open = null;
    grid.style.maxWidth = "";
    draw();
    const place = anchor && document.getElementById(anchor);
    if (place) place.scrollIntoView({ behavior: "instant" });
    else if (location.hash.includes("scenario=")) $("matrix").scrollIntoView({ behavior: "instant" });
  }
  function locate(target) {
    return target.steps[state.step]?.find((i) => key(pair(target, i)) === state.cell);
  }
  $("matrix-app").hidden = !data.steps.length;
  fillScenarios();
  // A matrix in which everything is meant to connect, and does, tells nothing.
  const tells = (target, i) => story(target, i).standing !== "holds" || story(target, i).specified === "denied";
  const telling = data.steps.findIndex((_, n) => targets.some((target) => target.steps[n].some((i) => tells(target, i))));
  state.step = bad.size ? Math.min(...bad) : Math.max(telling, 0);
  legend();
  follow();
  addEventListener("hashchange", follow);
})();
