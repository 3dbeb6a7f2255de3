"use strict";
// What moves on the page: the matrix, a cell's evidence, copy buttons, light and dark. It reads one block of JSON
// (harness/report/columns.py says its form), keeps what is shown in the address, and never builds HTML from strings.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const S = data.strings;
  const SVG = "http://www.w3.org/2000/svg";
  const ROW = 28, HEAD = 66, OVERSCAN = 12;

  function h(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(props || {})) {
      if (value === false || value === null || value === undefined) continue;
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
    return node;
  }

  // ---- data -------------------------------------------------------------------------------------------------------
  const digit = {}; // base 90: the printable signs from # on, without < and backslash
  for (let code = 35, n = 0; code < 127; code++) if (code !== 60 && code !== 92) digit[code] = n++;
  function unpack(packed) {
    const [form, ...rest] = packed;
    const out = [];
    if (form === 0 && rest.length === 1) return rest[0];
    if (form === 0) {
      const [width, text] = rest;
      for (let i = 0; i < text.length; i += width) {
        let value = 0;
        for (let n = i; n < i + width; n++) value = value * 90 + digit[text.charCodeAt(n)];
        out.push(value);
      }
      return out;
    }
    let sum = 0;
    for (let i = 0; i < rest.length; i += 2)
      for (let n = rest[i + 1]; n > 0; n--) out.push(form === 2 ? (sum += rest[i]) : rest[i]);
    return out;
  }
  const columns = data.pairs.map(unpack);
  const pairs = (columns[0] || []).map((_, p) => {
    const [source, destination, port, protocol, via, kind, family] = columns.map((column) => column[p]);
    return { source: S[source], destination: S[destination], port, protocol: S[protocol], via: S[via], kind: S[kind], family };
  });
  const FACETS = ["intended", "specified", "measured", "outcome", "verdict", "standing"];
  const stories = data.stories.map((row) => Object.fromEntries(FACETS.map((name, n) => [name, S[row[n]]])));
  const targets = data.targets.map((target, index) => {
    const cells = Object.fromEntries(Object.entries(target.columns).map(([name, column]) => [name, unpack(column)]));
    const steps = data.steps.map(() => []); // the cells of each step
    cells.step.forEach((n, i) => steps[n].push(i));
    return { ...cells, steps, cni: target.cni, name: target.name, index };
  });
  const pair = (target, i) => pairs[target.pair[i]];
  const story = (target, i) => stories[target.story[i]];

  const key = (p) =>
    `${p.source}..${p.destination}:${p.port}/${p.protocol}/${p.via}${p.kind === "echo" ? "" : "," + p.kind}${p.family === 4 ? "" : ",6"}`;
  const bare = (endpoint) => endpoint.replace(/^svc:/, "");
  const route = (p) =>
    [`${p.source} → ${bare(p.destination)}:${p.port}/${p.protocol}`, data.by[p.via], p.kind === "lookup" ? "(lookup)" : "", p.family === 6 ? "IPv6" : ""]
      .filter(Boolean).join(" ");

  function cell(target, i) {
    const p = pair(target, i);
    const row = data.stories[target.story[i]];
    const [host, seen, reproduce] = data.wires[target.wire[i]].map((n) => S[n]);
    const [settled, attempts] = data.whens[target.when[i]];
    const long = (text) =>
      text.replaceAll("\u0004", p.port).replaceAll("\u0003", host).replaceAll("\u0002", bare(p.destination)).replaceAll("\u0001", p.source);
    const [because, egress, ingress, note] = [6, 7, 8, 9].map((n) => long(S[row[n]]));
    const s = story(target, i);
    return {
      ...p, ...s, because, egress, ingress, note, host, settled,
      seen: s.outcome === "connected" ? seen : "",
      reproduce: long(reproduce),
      reviewed: row[10].map((n) => S[n]),
      ms: data.times[target.ms[i]],
      attempts: attempts.map(([at, outcome, count, detail]) => ({ at, outcome: S[outcome], count, detail: S[detail] })),
    };
  }
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
  const seconds = (t) =>
    t === null ? "never" : t < 10 ? `${t.toFixed(2)} s` : t < 120 ? `${Math.round(t)} s` : `${Math.floor(t / 60)} min ${String(Math.floor(t % 60)).padStart(2, "0")} s`;

  // ---- state, kept in the address ---------------------------------------------------------------------------------
  const state = { step: -1, cni: "", tab: "", differ: false, q: "", cell: "", theme: "" };

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

  // ---- marks ------------------------------------------------------------------------------------------------------
  const GLYPHS = {
    connected: "M-3.6 .3 -1.2 2.8 3.7 -2.9",
    denied: "M-2.7 -2.7 2.7 2.7M2.7 -2.7 -2.7 2.7",
    unspecified: "M-3.8 .8C-2.4 -1.8 -1 -1.4 0 0S2.4 1.8 3.8 -.8",
    unmeasured: "M-2 -1.7C-1.9 -4.3 2.2 -4.2 2.1 -1.6 2 -.2 0 -.2 0 1.4M0 3.6V3.8",
  };
  const ODD = { "policy-defect": 0, "cni-difference": 2, "masked-defect": 1 };
  const marks = new Map();

  function mark(s) {
    const name = [s.intended, s.specified, s.measured, s.verdict, s.standing].join();
    if (!marks.has(name)) {
      const svg = document.createElementNS(SVG, "svg");
      const quiet = s.standing === "holds";
      svg.setAttribute("class", `m s-${s.standing}${quiet && s.measured === "connected" ? " connected" : ""}`);
      svg.setAttribute("viewBox", "0 0 44 20");
      svg.setAttribute("aria-hidden", "true");
      [s.intended, s.specified, s.measured].forEach((value, n) => {
        const group = document.createElementNS(SVG, "g");
        group.setAttribute("transform", `translate(${8 + 14 * n} 10)`);
        const odd = !quiet && ODD[s.verdict] === n;
        const loud = s.standing === "differs";
        if (odd) {
          const box = document.createElementNS(SVG, "rect");
          for (const [k, v] of Object.entries({ x: -6.5, y: -7.5, width: 13, height: 15, rx: 3 })) box.setAttribute(k, v);
          box.style.cssText = loud ? "fill:var(--odd)" : "fill:none;stroke:var(--odd);stroke-width:1.2";
          group.append(box);
        }
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("d", GLYPHS[value]);
        path.style.cssText = `fill:none;stroke-linecap:round;stroke-width:${odd ? 2 : 1.6};stroke:${
          odd ? (loud ? "var(--card)" : "var(--odd)") : value === "connected" ? "var(--connected)" : value === "denied" && quiet ? "var(--denied)" : "var(--ink)"}`;
        if (quiet && value === "denied") path.style.opacity = ".75";
        group.append(path);
        svg.append(group);
      });
      marks.set(name, svg);
    }
    return marks.get(name).cloneNode(true);
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
  const label = (s) => s.standing === "holds" || s.standing === s.verdict ? s.verdict : s.standing === "differs" ? `${s.verdict}, undeclared` : `${s.verdict}, ${s.standing === "known" ? "known difference" : "documented"}`;
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
  const WORD = { connected: "✓ connected", denied: "✕ denied", unspecified: "~ unspecified", unmeasured: "? unmeasured" };
  const TAGS = { differs: "bad", documented: "documented-t", known: "known-t", holds: "good" };

  function evidence(target, one) {
    const odd = ODD[one.verdict];
    const row = (name, ...content) => [h("dt", {}, name), h("dd", {}, ...content)];
    const others = targets.filter((t) => t !== target).map((t) => [t, twin(t, one)]).filter(([, i]) => i !== undefined);
    return [
      h("header", {}, h("h3", {}, route(one)), h("button", { type: "button", class: "plain", "aria-label": "Close the evidence", onclick: close }, "Esc ✕")),
      h("div", { class: "meta" }, h("span", { class: `tag ${TAGS[one.standing] || "quiet"}` }, label(one)), h("span", { class: "tag quiet" }, target.name), h("span", {}, data.steps[state.step].filter(Boolean).join(", "))),
      h("div", { class: "big" }, ["intended", "specified", "measured"].map((name, n) => h("div", { class: n === odd && `odd s-${one.standing}` }, h("small", {}, name), h("b", {}, WORD[one[name]])))),
      h("dl", { class: "facts" },
        one.note ? row(one.measured === "unmeasured" ? "Not measured" : "Note", one.note) : [],
        row("Why", one.because || "The record gives no reason."),
        row("Rules", h("div", {}, one.egress), h("div", {}, one.ingress)),
        one.reviewed.map((id) => row(data.reviewed[id] && data.reviewed[id][0] === "documented" ? "Documented" : "Declared", reviewed(id))),
        row("Attempts", h("ol", { class: "steps" }, one.attempts.map((a) => h("li", { class: a.outcome }, h("b", {}, a.outcome), `${a.count > 1 ? ` × ${a.count}` : ""} from ${seconds(a.at)}`, a.detail ? ` (${a.detail})` : ""))),
          h("span", { class: "soft small" }, `outcome ${one.outcome}${one.ms === null ? "" : `, last after ${one.ms} ms`}`)),
        row("Settled", one.settled === null ? "never" : `${seconds(one.settled)} after the change`),
        one.host ? row("Dialled", h("span", { class: "mono" }, one.host)) : [],
        one.seen ? row("Server saw", h("span", { class: "mono" }, one.seen)) : [],
        one.reproduce ? row("Reproduce", h("div", { class: "command" }, h("pre", {}, one.reproduce), h("button", { type: "button", class: "copy" }, "Copy"))) : [],
        others.length ? row("Other CNIs", h("ul", { class: "others" }, others.map(([t, i]) => {
          const s = story(t, i);
          return h("li", {}, mark(s), h("button", { type: "button", class: "plain", onclick: () => openCell(t, i) }, t.cni), `measured ${s.measured}, ${label(s)}`);
        }))) : []),
    ];
  }
  function reviewed(id) {
    const [, sentence, reason, link] = data.reviewed[id] || ["", id, "", ""];
    const safe = /^https?:/.test(link);
    return h("div", {}, sentence, reason && h("div", { class: "soft small" }, reason), safe && h("a", { href: link, rel: "noreferrer", class: "small" }, "source"));
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

  // ---- theme and copy ---------------------------------------------------------------------------------------------
  const theme = $("theme");
  const isDark = () => (state.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  function setTheme(name) {
    state.theme = name === "dark" || name === "light" ? name : "";
    if (state.theme) document.documentElement.dataset.theme = state.theme;
    theme.textContent = isDark() ? "Light" : "Dark";
  }
  theme.hidden = false;
  theme.addEventListener("click", () => {
    setTheme(isDark() ? "light" : "dark");
    try { localStorage.setItem("netproof-theme", state.theme); } catch { /* private windows */ }
  });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const pre = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });

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
  try { setTheme(localStorage.getItem("netproof-theme") || ""); } catch { setTheme(""); }
  $("matrix-app").hidden = !data.steps.length;
  fillScenarios();
  state.step = bad.size ? Math.min(...bad) : 0;
  legend();
  follow();
  addEventListener("hashchange", follow);
})();
