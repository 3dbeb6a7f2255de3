"use strict";
// What every page shares: the cells read back from one block of JSON (harness/netproof/report/columns.py says its form), their
// marks and words, copy buttons, light and dark. Never builds HTML from strings.
const netproof = (() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const S = data.strings;
  const SVG = "http://www.w3.org/2000/svg";

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
    [`${p.source} → ${bare(p.destination)}:${p.port}/${p.protocol}`, data.by[p.via], data.kinds[p.kind] && `(${data.kinds[p.kind]})`, p.family === 6 ? "IPv6" : ""]
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
  const seconds = (t) =>
    t === null ? "never" : t < 10 ? `${t.toFixed(2)} s` : t < 120 ? `${Math.round(t)} s` : `${Math.floor(t / 60)} min ${String(Math.floor(t % 60)).padStart(2, "0")} s`;

  // ---- marks ------------------------------------------------------------------------------------------------------
  const GLYPHS = {
    connected: "M-3.6 .3 -1.2 2.8 3.7 -2.9",
    denied: "M-2.7 -2.7 2.7 2.7M2.7 -2.7 -2.7 2.7",
    unspecified: "M-3.8 .8C-2.4 -1.8 -1 -1.4 0 0S2.4 1.8 3.8 -.8",
    unstated: "M-2.5 0H2.5",
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

  const label = (s) => s.standing === "holds" || s.standing === s.verdict ? s.verdict : s.standing === "differs" ? `${s.verdict}, undeclared` : `${s.verdict}, ${s.standing === "known" ? "known difference" : "documented"}`;
  const WORD = { connected: "✓ connected", denied: "✕ denied", unspecified: "~ unspecified", unstated: "– unstated", unmeasured: "? unmeasured" };
  const TAGS = { differs: "bad", documented: "documented-t", known: "known-t", holds: "good" };

  function reviewed(id) {
    const [, sentence, reason, link] = data.reviewed[id] || ["", id, "", ""];
    const safe = /^https?:/.test(link);
    return h("div", {}, sentence, reason && h("div", { class: "soft small" }, reason), safe && h("a", { href: link, rel: "noreferrer", class: "small" }, "source"));
  }

  // ---- evidence of a cell -----------------------------------------------------------------------------------------
  const row = (name, ...content) => [h("dt", {}, name), h("dd", {}, ...content)];
  function values(one) {
    const odd = ODD[one.verdict];
    return h("div", { class: "big" }, ["intended", "specified", "measured"].map((name, n) => h("div", { class: n === odd && `odd s-${one.standing}` }, h("small", {}, name), h("b", {}, WORD[one[name]]))));
  }
  function facts(one) {
    return [
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
    ];
  }

  // ---- theme and copy ---------------------------------------------------------------------------------------------
  const button = $("theme");
  let theme = "";
  const isDark = () => (theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  function setTheme(name) {
    theme = name === "dark" || name === "light" ? name : "";
    if (theme) document.documentElement.dataset.theme = theme;
    button.textContent = isDark() ? "Light" : "Dark";
  }
  button.hidden = false;
  button.addEventListener("click", () => {
    setTheme(isDark() ? "light" : "dark");
    try { localStorage.setItem("netproof-theme", theme); } catch { /* private windows */ }
  });
  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("button.copy");
    if (!copy) return;
    const pre = copy.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(pre.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      copy.textContent = "Selected";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 1600);
  });
  try { setTheme(localStorage.getItem("netproof-theme") || ""); } catch { setTheme(""); }

  return { $, h, data, unpack, pairs, stories, targets, pair, story, key, bare, route, cell, seconds, mark, label, values, facts, row, ODD, TAGS, setTheme };
})();
