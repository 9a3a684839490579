// The waterfall of a trace: all spans are in memory as six integers each, and only those that are seen are in the page.
import { make } from "./ui.js";

const ROW = 26; // pixels, as the stylesheet has it
const SVG = "http://www.w3.org/2000/svg";
const KINDS = ["llm", "tool", "validator", "other"];
const FIELDS = 6;

const place = document.getElementById("trace");
const view = document.getElementById("view");
const rows = document.getElementById("rows");
const space = document.getElementById("space");
const panel = document.getElementById("panel");
const count = document.getElementById("count");

let names = [];
let first = 0;
let spans = [];
let shown = [];
let total = 1;
let at = -1;
let chosen = -1;
let text = "";

class Span {
  constructor(index, [parent, start, took, name, kind, number]) {
    Object.assign(this, { index, parent, start, took, number: first + number, children: [], depth: 0, folded: false });
    this.name = names[name];
    this.kind = KINDS[kind & 7];
    this.failed = (kind & 8) !== 0;
  }
}

/** Parents before their children, each by start; what refers to itself in a circle is at the top. */
function tree(numbers) {
  const all = [];
  for (let i = 0; i < numbers.length; i += FIELDS) all.push(new Span(all.length, numbers.slice(i, i + FIELDS)));
  const tops = [];
  for (const span of all) (span.parent < 0 ? tops : all[span.parent].children).push(span);
  const ordered = [];
  const seen = new Set();
  const walk = (top) => {
    const stack = [[top, 0]];
    while (stack.length) {
      const [span, depth] = stack.pop();
      if (seen.has(span)) continue;
      seen.add(span);
      span.depth = depth;
      ordered.push(span);
      for (let i = span.children.length - 1; i >= 0; i -= 1) stack.push([span.children[i], depth + 1]);
    }
  };
  tops.forEach(walk);
  for (const span of all) if (!seen.has(span)) walk(span);
  return ordered;
}

/** The spans that are not folded away, or those whose names have a text. */
function unfold() {
  if (text) {
    shown = spans.filter((span) => span.name.toLowerCase().includes(text));
    return;
  }
  shown = [];
  let below = Infinity;
  for (const span of spans) {
    if (span.depth > below) continue;
    below = span.folded ? span.depth : Infinity;
    shown.push(span);
  }
}

function took(ms) {
  if (ms < 0) return "–";
  if (ms < 10000) return `${Math.round(ms).toLocaleString("en")} ms`;
  return ms < 600000 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 60000).toFixed(1)} min`;
}

function bar(span) {
  const svg = document.createElementNS(SVG, "svg");
  const rect = document.createElementNS(SVG, "rect");
  const left = (span.start / total) * 99;
  // What is short is seen all the same.
  const width = Math.max((Math.max(span.took, 0) / total) * 100, 0.4);
  for (const [name, value] of [["x", `${left}%`], ["width", `${Math.min(width, 100 - left)}%`], ["y", "6"], ["height", "14"], ["rx", "2"]]) rect.setAttribute(name, value);
  svg.setAttribute("aria-hidden", "true");
  svg.append(rect);
  return svg;
}

function line(span, place_) {
  const isParent = span.children.length > 0 && !text;
  const row = make("div", {
    id: `s${span.index}`, class: `row ${span.failed ? "error" : span.kind}${place_ === at ? " at" : ""}`, role: "treeitem",
    "aria-level": String(text ? 1 : span.depth + 1), "aria-selected": String(span.index === chosen),
    "aria-label": `${span.name}, ${span.kind}, ${span.failed ? "error, " : ""}${took(span.took)}, from ${took(span.start)}`,
  });
  if (isParent) row.setAttribute("aria-expanded", String(!span.folded));
  const fold = make("span", { class: "fold", "aria-hidden": "true" }, isParent ? (span.folded ? "▸" : "▾") : "");
  const name = make("span", { class: "name" }, fold, span.failed ? "✕ " : "", span.name, isParent && span.folded ? ` (${span.children.length})` : "");
  name.style.paddingLeft = `${0.4 + Math.min(text ? 0 : span.depth, 24) * 0.9}rem`;
  row.append(name, bar(span), make("span", { class: "took" }, took(span.took)));
  return row;
}

function draw() {
  const first = Math.max(Math.floor(view.scrollTop / ROW) - 8, 0);
  const last = Math.min(first + Math.ceil(view.clientHeight / ROW) + 16, shown.length);
  const visible = [];
  for (let i = first; i < last; i += 1) visible.push(line(shown[i], i));
  rows.replaceChildren(...visible);
  rows.style.transform = `translateY(${first * ROW}px)`;
  space.style.height = `${shown.length * ROW}px`;
  if (at >= first && at < last) view.setAttribute("aria-activedescendant", `s${shown[at].index}`);
  else view.removeAttribute("aria-activedescendant");
}

function refresh() {
  const now = shown[at];
  unfold();
  at = now ? shown.indexOf(now) : -1;
  count.textContent = shown.length === spans.length ? `${spans.length.toLocaleString("en")} spans` : `${shown.length.toLocaleString("en")} of ${spans.length.toLocaleString("en")} spans`;
  draw();
}

function toggle(span) {
  if (span.children.length) {
    span.folded = !span.folded;
    refresh();
  }
}

function to(place_) {
  if (!shown.length) return;
  at = Math.min(Math.max(place_, 0), shown.length - 1);
  const top = at * ROW;
  if (top < view.scrollTop) view.scrollTop = top;
  else if (top + ROW > view.scrollTop + view.clientHeight) view.scrollTop = top + ROW - view.clientHeight;
  draw();
}

/** The next span that failed, wherever it is folded away. */
function nextError() {
  const now = shown[at];
  const from = now ? spans.indexOf(now) : -1;
  const failed = [...spans.slice(from + 1), ...spans.slice(0, from + 1)].find((span) => span.failed);
  if (!failed) {
    count.textContent = "No span failed.";
    return;
  }
  if (text) clear();
  for (const span of spans) span.folded = span.folded && !holds(span, failed);
  refresh();
  to(shown.indexOf(failed));
  open(failed);
}

function holds(span, other) {
  const stack = [...span.children];
  while (stack.length) {
    const child = stack.pop();
    if (child === other) return true;
    stack.push(...child.children);
  }
  return false;
}

function clear() {
  text = "";
  document.getElementById("names").value = "";
}

// The panel

function entries(block) {
  if (block.kind === "messages") {
    return block.entries.map(([role, said, cut]) => make("article", { class: "message" },
      make("header", {}, make("strong", {}, role), make("span", { class: "end soft" }, `${(said.length + cut).toLocaleString("en")} characters`)),
      make("pre", {}, said), ...more(cut)));
  }
  const body = make("tbody");
  for (const [name, said, cut] of block.entries) {
    body.append(make("tr", {}, make("th", { scope: "row" }, make("code", {}, name)), make("td", {}, make("pre", {}, said), ...more(cut))));
  }
  return [make("div", { class: "wide" }, make("table", { class: "facts" }, body))];
}

function more(cut) {
  return cut ? [make("p", { class: "soft" }, `${cut.toLocaleString("en")} more characters are in the file.`)] : [];
}

function fill(span) {
  const facts = make("dl", { class: "keys" });
  for (const [name, said] of span.facts) {
    facts.append(make("dt", { class: "soft" }, name), make("dd", name === "status" && said === "error" ? { class: "bad" } : {}, said));
  }
  if (span.prompt) facts.append(make("dt", { class: "soft" }, "prompt"), make("dd", {}, make("a", { href: span.prompt.to }, span.prompt.text)));
  facts.append(make("dt", { class: "soft" }, "id"), make("dd", {}, make("code", {}, span.id)));
  const links = make("p", {}, make("a", { href: span.raw, download: "" }, "All of it, as a file"));
  if (span.render) links.append(" · ", make("a", { href: span.render }, "Render with these values"));
  const find = make("input", { type: "search", "aria-label": "Find in what this span says", placeholder: "find in this span" });
  const said = make("div");
  for (const block of span.blocks) said.append(make("h3", {}, block.title), ...entries(block));
  find.addEventListener("input", () => {
    const wanted = find.value.toLowerCase();
    for (const part of said.querySelectorAll("article, tr")) part.hidden = !part.textContent.toLowerCase().includes(wanted);
  });
  panel.replaceChildren(make("h2", {}, span.name), facts, links, make("p", {}, find), said);
}

let asked = 0;

async function open(span) {
  chosen = span.index;
  draw();
  asked += 1;
  const mine = asked;
  try {
    const answer = await fetch(`${place.dataset.spans}/${span.number}`, { headers: { Accept: "application/json" } });
    if (answer.redirected || !answer.ok) throw new Error(answer.redirected ? "your session is over: load the page again" : `the server says ${answer.status}`);
    const found = await answer.json();
    if (mine !== asked) return;
    fill(found);
    const address = new URL(location.href);
    address.searchParams.set("span", found.id);
    history.replaceState(null, "", address);
  } catch (error) {
    if (mine === asked) panel.replaceChildren(make("p", { class: "note bad", role: "alert" }, `This span cannot be shown: ${error.message}.`));
  }
}

/** Rows are drawn anew all the time: what counts is where the click was. */
function click(event) {
  const place_ = Math.floor((event.clientY - view.getBoundingClientRect().top + view.scrollTop) / ROW);
  const span = shown[place_];
  if (!span) return;
  at = place_;
  if (document.elementFromPoint(event.clientX, event.clientY)?.closest(".fold") && span.children.length && !text) toggle(span);
  else open(span);
  draw();
}

function keys(event) {
  const span = shown[at];
  const page = Math.floor(view.clientHeight / ROW) - 1;
  const moves = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -shown.length, End: shown.length };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in moves) to(at < 0 ? 0 : at + moves[event.key]);
  else if (event.key === "ArrowRight" && span) {
    if (span.folded) toggle(span);
    else if (span.children.length && !text) to(at + 1);
  } else if (event.key === "ArrowLeft" && span) {
    if (span.children.length && !span.folded && !text) toggle(span);
    else {
      const parent = shown.findIndex((other) => other.index === span.parent);
      if (parent >= 0) to(parent);
    }
  } else if ((event.key === "Enter" || event.key === " ") && span) {
    open(span);
    if (event.key === "Enter") panel.focus();
  } else if (event.key === "e") nextError();
  else return;
  event.preventDefault();
}

function ticks() {
  const ruler = document.getElementById("ticks");
  for (let i = 0; i < 4; i += 1) {
    const tick = make("span", {}, took(Math.round((total * i) / 4)));
    tick.style.left = `${i * 25}%`;
    ruler.append(tick);
  }
}

async function start() {
  const answer = await fetch(place.dataset.outline);
  if (answer.redirected || !answer.ok) return; // the table stays
  const outline = await answer.json();
  if (!outline.spans.length) return;
  ({ names, first } = outline);
  spans = tree(outline.spans);
  total = 1;
  for (const span of spans) total = Math.max(total, span.start + Math.max(span.took, 0));
  document.getElementById("table").remove();
  document.getElementById("fall").hidden = false;
  ticks();
  refresh();
  view.addEventListener("scroll", draw, { passive: true });
  view.addEventListener("keydown", keys);
  view.addEventListener("click", click);
  view.addEventListener("focus", () => { if (at < 0 && view.matches(":focus-visible")) to(0); });
  addEventListener("resize", draw);
  document.getElementById("tools").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("names").addEventListener("input", (event) => {
    text = event.target.value.toLowerCase();
    refresh();
  });
  document.getElementById("error").addEventListener("click", nextError);
  document.getElementById("foldall").addEventListener("click", (event) => {
    const folded = event.target.textContent === "Fold all";
    for (const span of spans) span.folded = folded && span.children.length > 0;
    event.target.textContent = folded ? "Unfold all" : "Fold all";
    refresh();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "e" && !event.ctrlKey && !event.metaKey && !event.altKey && document.documentElement.dataset.keys === "on" && !event.target.closest("input, textarea, select, [role=tree]")) nextError();
  });
}

start();
