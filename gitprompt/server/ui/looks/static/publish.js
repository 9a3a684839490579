// Findings as one types: the server checks, as it will when the document is published.
import { make } from "./ui.js";

const form = document.getElementById("draft");
const name = document.getElementById("name");
const text = document.getElementById("text");
const version = document.getElementById("version");
const findings = document.getElementById("findings");

let timer = 0;
let asked = 0;
let suggested = version.value;

function item(finding) {
  const kind = finding.severity === "error" ? "bad" : "warn";
  const place = finding.place ? [make("code", {}, finding.place), " "] : [];
  const hint = finding.hint ? [" ", make("span", { class: "soft" }, finding.hint)] : [];
  return make("li", {}, make("span", { class: `pill ${kind}` }, finding.severity), " ", ...place, finding.message, ...hint);
}

function sentence(found) {
  if (!found.ok) return "It cannot be published like this.";
  if (found.newest === null) return "It is the first version.";
  if (found.bump === null) return `It is the same as ${found.newest}.`;
  return `Since ${found.newest} the changes deserve a ${found.bump} version: ${found.next}.`;
}

async function check() {
  asked += 1;
  const mine = asked;
  let found;
  try {
    const body = new URLSearchParams({ name: name.value, text: text.value });
    const answer = await fetch(form.dataset.check, { method: "POST", body });
    if (answer.redirected || !answer.ok) throw new Error();
    found = await answer.json();
  } catch {
    if (mine === asked) findings.replaceChildren(make("p", { class: "warn" }, "It could not be checked just now: the server does not answer, or your session is over."));
    return;
  }
  if (mine !== asked) return;
  const list = found.findings.length ? make("ul", {}, ...found.findings.map(item)) : make("p", { class: "good" }, "✓ Nothing.");
  findings.replaceChildren(list, make("p", {}, sentence(found)));
  if (version.value === suggested) {
    suggested = found.next ?? "";
    version.value = suggested;
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(check, 400);
}

text.addEventListener("input", soon);
name.addEventListener("input", soon);
