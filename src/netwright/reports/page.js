// What the page does beyond being read: hover, choosing a trial, the table of all trials, CSV.
// Text from the run is only ever set as textContent.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const columns = data.columns;
const at = Object.fromEntries(columns.map((name, place) => [name, place]));
const byTrial = new Map(data.rows.map((row) => [row[at.trial], row]));
const PAGE = 25;

function element(name, content, className) {
  const made = document.createElement(name);
  if (content !== undefined && content !== null) made.textContent = content;
  if (className) made.className = className;
  return made;
}

const shown = (cell) => (Array.isArray(cell) ? cell[1] : cell === null ? "" : String(cell));
const sortable = (cell) => (Array.isArray(cell) ? cell[0] : cell);
const networkOf = (row) => data.networks[row[at.network]];
const measuredColumns = columns.slice(at.epochs + 1, at.time);

// -- hover ---------------------------------------------------------------------------------------------------------

const tip = document.getElementById("tip");

function tipOf(mark) {
  if (mark.dataset.tip) return mark.dataset.tip;
  const row = byTrial.get(Number(mark.dataset.trial));
  if (!row) return "";
  const measured = measuredColumns.filter((name) => row[at[name]] !== null).map((name) => `${name}: ${shown(row[at[name]])}`);
  const test = data.tested[row[at.trial]];
  const head = `trial ${row[at.trial]}, ${row[at.origin]}, ${row[at.epochs]} epochs`;
  return [head, networkOf(row), ...measured, ...(test ? [test.join(": ")] : [])].join("\n");
}

function showTip(mark) {
  const content = tipOf(mark);
  if (!content) return;
  tip.textContent = content;
  tip.hidden = false;
  const box = mark.getBoundingClientRect();
  const width = tip.offsetWidth, height = tip.offsetHeight;
  const left = Math.max(8, Math.min(box.left + box.width / 2 - width / 2, document.documentElement.clientWidth - width - 8));
  const above = box.top - height - 10;
  tip.style.left = `${left + window.scrollX}px`;
  tip.style.top = `${(above > 8 ? above : box.bottom + 10) + window.scrollY}px`;
}

const hoverable = "svg [data-trial], [data-tip]";
for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, (event) => {
    const mark = event.target.closest?.(hoverable);
    if (mark) showTip(mark);
    else tip.hidden = true;
  });
}
document.addEventListener("focusout", () => (tip.hidden = true));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hidden = true;
});

// -- choosing a trial ------------------------------------------------------------------------------------------------

const chosen = document.getElementById("chosen");
const drawn = document.getElementById("drawn");
const drawnTitle = document.getElementById("drawn-title");
const first = drawn ? { nodes: [...drawn.childNodes], title: drawnTitle.textContent } : null;
let selected = null;

function choose(trial, moved) {
  const row = byTrial.get(trial);
  if (!row) return;
  selected = trial;
  for (const mark of document.querySelectorAll("[data-trial].selected")) mark.classList.remove("selected");
  for (const mark of document.querySelectorAll(`svg [data-trial="${trial}"]`)) mark.classList.add("selected");
  describe(row);
  draw(trial, row);
  fill();
  if (moved) history.replaceState(null, "", `#trial-${trial}`);
}

function describe(row) {
  if (!chosen) return;
  const trial = row[at.trial];
  const head = element("h3", `Trial ${trial}`);
  if (trial === data.winner) head.append(element("span", "winner", "badge"));
  const list = element("dl");
  const entry = (name, value) => list.append(element("dt", name), element("dd", value));
  if (data.tested[trial]) entry(...data.tested[trial]);
  for (const name of measuredColumns) if (row[at[name]] !== null) entry(name, shown(row[at[name]]));
  entry("status", row[at.status]);
  entry("origin", row[at.origin]);
  entry("epochs", row[at.epochs]);
  if (row[at.time] !== null) entry("time", shown(row[at.time]));
  if (row[at.parents] !== null) entry("parents", row[at.parents]);
  entry("key", row[at.key]);
  const parts = [head, element("p", networkOf(row), "words"), list];
  if (row[at.reason] !== null) parts.push(element("p", row[at.reason]));
  if (trial !== data.shown && data.shown !== null) {
    const back = element("button", data.winner === null ? "Back to the best" : "Back to the winner");
    back.type = "button";
    back.addEventListener("click", () => choose(data.shown, true));
    parts.push(back);
  }
  chosen.replaceChildren(...parts);
}

function draw(trial, row) {
  if (!drawn) return;
  if (trial === data.shown) {
    drawn.replaceChildren(...first.nodes);
    drawnTitle.textContent = first.title;
    return;
  }
  drawnTitle.textContent = `Trial ${trial}.`;
  const template = document.getElementById(`network-${trial}`);
  if (template) drawn.replaceChildren(template.content.cloneNode(true));
  else drawn.replaceChildren(element("p", networkOf(row)), element("p", "Drawings are kept for the front, the finalists and the best of the other trials.", "soft"));
}

document.addEventListener("click", (event) => {
  const mark = event.target.closest("[data-trial]");
  if (mark) choose(Number(mark.dataset.trial), true);
});
document.addEventListener("keydown", (event) => {
  const mark = event.target.closest?.("svg [data-trial]");
  if (mark && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    choose(Number(mark.dataset.trial), true);
  }
});

// -- the table -------------------------------------------------------------------------------------------------------

const table = document.getElementById("all");
const find = document.getElementById("find");
const status = document.getElementById("status");
const before = document.getElementById("before");
const after = document.getElementById("after");
const visible = columns.filter((name) => name !== "key");
const order = { column: at.trial, down: false };
let page = 0;
let rows = data.rows;

function compare(a, b) {
  const x = sortable(a[order.column]), y = sortable(b[order.column]);
  if (x === null || y === null) return (x === null) - (y === null);
  const less = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
  return order.down ? -less : less;
}

function filter() {
  const wanted = find.value.trim().toLowerCase();
  const state = status.value.replaceAll("_", " ");
  const holds = (row) =>
    row.some((cell, place) => place !== at.network && shown(cell).toLowerCase().includes(wanted)) ||
    networkOf(row).toLowerCase().includes(wanted);
  rows = data.rows.filter((row) => (!state || row[at.status] === state) && (!wanted || holds(row)));
  rows.sort(compare);
  page = 0;
  fill();
}

function heading() {
  const line = element("tr");
  for (const name of visible) {
    const cell = element("th");
    const button = element("button", name);
    button.type = "button";
    button.addEventListener("click", () => {
      order.down = order.column === at[name] ? !order.down : false;
      order.column = at[name];
      for (const other of line.children) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      filter();
    });
    cell.scope = "col";
    cell.append(button);
    line.append(cell);
  }
  const head = element("thead");
  head.append(line);
  return head;
}

function fill() {
  const body = element("tbody");
  for (const row of rows.slice(page * PAGE, (page + 1) * PAGE)) {
    const line = element("tr");
    line.dataset.trial = row[at.trial];
    if (row[at.trial] === selected) line.className = "selected";
    for (const name of visible) {
      const cell = element("td");
      if (name === "trial") {
        const button = element("button", row[at.trial]);
        button.type = "button";
        button.addEventListener("click", () => chosen?.scrollIntoView({ block: "center" }));
        cell.append(button);
      } else cell.textContent = name === "network" ? networkOf(row) : shown(row[at[name]]);
      if ((name === "network" || name === "reason") && cell.textContent) cell.className = "long";
      line.append(cell);
    }
    body.append(line);
  }
  table.tBodies[0]?.remove();
  table.append(body);
  const last = Math.min(rows.length, (page + 1) * PAGE);
  const range = rows.length ? `${(page * PAGE + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${rows.length.toLocaleString("en")}` : "none";
  document.getElementById("page").textContent = range;
  before.disabled = page === 0;
  after.disabled = last >= rows.length;
}

find.addEventListener("input", filter);
status.addEventListener("change", filter);
before.addEventListener("click", () => { page -= 1; fill(); });
after.addEventListener("click", () => { page += 1; fill(); });
document.getElementById("csv").addEventListener("click", () => {
  const link = element("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", data.csv], { type: "text/csv" }));
  link.download = data.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

table.append(heading());
fill();
const named = /^#trial-(\d+)$/.exec(location.hash);
const start = named && byTrial.has(Number(named[1])) ? Number(named[1]) : data.shown;
if (start !== null) choose(start, false);
