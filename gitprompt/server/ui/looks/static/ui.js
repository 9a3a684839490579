// What pages are nicer with: local times, keys, copying, refreshing. Without it they say the same.

/** An element with attributes, and children that are elements or text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const root = document.documentElement;
const main = document.getElementById("main");

// Times, in the zone of whoever reads, if so wished

function two(number) {
  return String(number).padStart(2, "0");
}

/** `2026-11-25 02:05 +01:00`: the zone is always said. */
export function local(date, seconds) {
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? "−" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}${seconds ? `:${two(date.getSeconds())}` : ""}`;
  return `${day} ${time} ${zone}`;
}

if (root.dataset.time === "local") {
  for (const element of document.querySelectorAll("time[datetime]")) {
    element.title = element.textContent;
    element.textContent = local(new Date(element.dateTime), "seconds" in element.dataset);
  }
}

// Copying

for (const pre of document.querySelectorAll("pre[data-copy]")) {
  const button = make("button", { type: "button", class: "small" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  pre.after(make("p", {}, button));
}

// Refreshing, while somebody looks

const refresh = document.querySelector("[data-refresh]");
if (refresh) {
  const box = make("input", { type: "checkbox" });
  refresh.after(make("label", { class: "check" }, box, "every 10 s"));
  box.checked = sessionStorage.getItem("refresh") === location.pathname;
  let timer = 0;
  const arm = () => {
    clearTimeout(timer);
    if (box.checked && !document.hidden) timer = setTimeout(() => location.replace(refresh.href), 10000);
  };
  box.addEventListener("change", () => {
    if (box.checked) sessionStorage.setItem("refresh", location.pathname);
    else sessionStorage.removeItem("refresh");
    arm();
  });
  document.addEventListener("visibilitychange", arm);
  arm();
}

// Menus close as menus do

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Keys

const KEYS = [
  ["/", "find a prompt"],
  ["j k", "down and up in a list"],
  ["Enter", "open what is marked"],
  ["c", "compare versions of the prompt"],
  ["g p", "prompts"],
  ["g t", "traces"],
  ["g s", "status"],
  ["[ ]", "the one before, the next"],
  ["e", "the next error, in a trace"],
  ["?", "this list"],
];

function help() {
  let dialog = document.getElementById("keys");
  if (!dialog) {
    const list = make("dl", { class: "keys" });
    for (const [keys, what] of KEYS) {
      const term = make("dt");
      for (const key of keys.split(" ")) term.append(make("kbd", {}, key), " ");
      list.append(term, make("dd", {}, what));
    }
    const button = make("button", { class: "go" }, "Close");
    dialog = make("dialog", { id: "keys", "aria-labelledby": "keys-title" },
      make("h2", { id: "keys-title" }, "Keys"), list,
      make("p", { class: "soft" }, "They can be switched off in the menu at the top."),
      make("form", { method: "dialog" }, button));
    document.body.append(dialog);
  }
  dialog.showModal();
}

/** Move the mark in the list of the page. */
function mark(step) {
  const rows = [...document.querySelectorAll("table[data-rows] tbody tr")];
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.classList.contains("at"));
  const next = Math.min(Math.max(now + step, 0), rows.length - 1);
  if (now >= 0) rows[now].classList.remove("at");
  rows[next].classList.add("at");
  const link = rows[next].querySelector("th a, td a");
  if (link) link.focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: "nearest" });
}

function follow(selector) {
  const link = document.querySelector(selector);
  if (link) location.assign(link.href);
}

function go(area) {
  follow(`.top nav a[href$="/${area}"]`);
}

function compare() {
  const row = document.querySelector("table[data-rows] tbody tr.at[data-compare]");
  if (row) location.assign(row.dataset.compare);
  else follow('main a[href$="/diff"], main a[href*="/diff?"]');
}

const ACTIONS = {
  "/": () => document.getElementById("find")?.focus(),
  j: () => mark(1),
  k: () => mark(-1),
  c: compare,
  "[": () => follow("main a[rel=prev]"),
  "]": () => follow("main a[rel=next]"),
  "?": help,
};
const PLACES = { p: "prompts", t: "traces", s: "status" };
let isGoing = false;

function isTyping(target) {
  return target.closest("input, textarea, select, [contenteditable], dialog, [role=tree]") !== null;
}

if (root.dataset.keys === "on" && main) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    if (isGoing) {
      isGoing = false;
      if (PLACES[event.key]) {
        event.preventDefault();
        go(PLACES[event.key]);
        return;
      }
    }
    if (event.key === "g") {
      isGoing = true;
    } else if (Object.hasOwn(ACTIONS, event.key)) {
      event.preventDefault();
      ACTIONS[event.key]();
    }
  });
}
