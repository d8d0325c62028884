// The static site: tables that can be sorted and searched, and joules read in another unit.
"use strict";

// --- sorting and searching ----------------------------------------------------------------------

const firstNumber = (text) => {
  const found = text.replaceAll(",", "").match(/-?\d+(\.\d+)?(e[+-]?\d+)?/i);
  return found ? Number(found[0]) : null;
};

const known = (row, column) => !["–", "", "unavailable"].includes(row.cells[column].textContent);

function compareCells(a, b) {
  const [x, y] = [firstNumber(a), firstNumber(b)];
  return /^[-\d(]/.test(a) && /^[-\d(]/.test(b) && x !== null && y !== null ? x - y : a.localeCompare(b);
}

function nextOrder(head) {
  const order = head.getAttribute("aria-sort");
  if (!order) return head.dataset.first || "ascending";
  return order === "ascending" ? "descending" : "ascending";
}

// What is unknown comes last, whichever way round.
function sortBy(table, column, head) {
  const order = nextOrder(head);
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const rows = [...table.tBodies[0].rows];
  const sign = order === "descending" ? -1 : 1;
  const text = (row) => row.cells[column].textContent;
  const sorted = rows.filter((row) => known(row, column)).sort((a, b) => sign * compareCells(text(a), text(b)));
  table.tBodies[0].append(...sorted, ...rows.filter((row) => !known(row, column)));
}

function sortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(table, column, head));
    head.replaceChildren(button);
  });
  if (table.tBodies[0].rows.length > 8) table.closest(".scroll").before(searchOf(table));
}

function searched(table, words) {
  const wanted = words.toLowerCase();
  for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
}

function searchOf(table) {
  const label = document.createElement("label");
  label.className = "search";
  label.textContent = "Rows that contain ";
  const field = document.createElement("input");
  field.type = "search";
  field.addEventListener("input", () => searched(table, field.value));
  field.value = asked("contains") || "";
  if (field.value) searched(table, field.value);
  label.append(field);
  return label;
}

// --- joules in another unit ---------------------------------------------------------------------

const KWH = 3.6e6;
const MANY = 1e6;
const COLUMN = /^J \/ (question|history|correct)/;
const SENTENCE = /([\d.,]+) J( \((?:measured|modelled|estimated)\))?( and [\d.,]+ context tokens)? per question/g;
const NUMBER = /\d[\d,]*(\.\d+)?/g;

function digits(value) {
  if (value === 0) return "0";
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(value))));
}

const scaledText = (text, unit) => text.replace(NUMBER, (n) => digits(Number(n.replaceAll(",", "")) * unit.factor));

const perMillion = (words) => words.replace("question", "million questions")
  .replace("history", "million histories").replace("correct", "million correct");

function titled(words, unit) {
  return perMillion(words).replace("Energy (J)", unit.title).replace(/^J /, `${unit.sign} `);
}

function axisTitle(words, unit) {
  const lines = "J for a history";
  return words.startsWith(lines) ? words.replace(lines, `${unit.sign} for a million histories`) : titled(words, unit);
}

function kept(node) {
  if (node.membenchWords === undefined) node.membenchWords = node.textContent;
  return node.membenchWords;
}

function rewrite(node, change, unit) {
  const words = kept(node);
  node.textContent = unit ? change(words) : words;
}

function energyCells() {
  const found = [];
  for (const head of document.querySelectorAll("th[data-id]")) {
    if (!COLUMN.test(head.dataset.id)) continue;
    const column = head.cellIndex;
    const cells = [...head.closest("table").tBodies[0].rows].map((row) => row.cells[column]);
    found.push({ title: head.querySelector("button") || head, cells });
  }
  for (const title of document.querySelectorAll(".mb-cards dt")) {
    if (kept(title).startsWith("Energy (J) /")) found.push({ title, cells: [title.nextElementSibling] });
  }
  for (const row of document.querySelectorAll("td:first-child")) {
    if (kept(row) !== "Energy (J)" || !row.closest("table").querySelector('[data-id="per question"]')) continue;
    found.push({ title: row, cells: [...row.parentElement.cells].slice(1) });
  }
  return found;
}

function sentences() {
  const found = [];
  for (const place of document.querySelectorAll(".mb-answer")) {
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (kept(walker.currentNode).match(SENTENCE)) found.push(walker.currentNode);
  }
  return found;
}

function axisOf(chart) {
  const title = (axis) => (chart.layout[axis] && chart.layout[axis].title && chart.layout[axis].title.text) || "";
  if (chart.membenchAxis === undefined) {
    chart.membenchAxis = title("xaxis").includes("Energy (J)") ? "x" : title("yaxis").startsWith("J ") ? "y" : "";
    const axis = `${chart.membenchAxis}axis`;
    if (chart.membenchAxis) {
      chart.membenchLayout = { title: title(axis), range: [...chart.layout[axis].range],
        tickvals: chart.layout[axis].tickvals, ticktext: chart.layout[axis].ticktext };
      chart.membenchData = chart.data.map((trace) => {
        const error = trace[`error_${chart.membenchAxis}`] || {};
        return { values: [...(trace[chart.membenchAxis] || [])], low: error.arrayminus, high: error.array };
      });
    }
  }
  return chart.membenchAxis;
}

const FINE = [1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9];

function marksOf(low, high, steps) {
  const found = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) {
    for (const step of steps) {
      const place = Math.log10(step) + power;
      if (place >= low && place <= high) found.push(step * 10 ** power);
    }
  }
  return found;
}

function marks(low, high) {
  const found = marksOf(low, high, high - low < 2.5 ? [1, 2, 5] : [1]);
  return found.length > 1 ? found : marksOf(low, high, FINE);
}

function rescaled(chart, unit) {
  const axis = axisOf(chart);
  if (!axis) return;
  const factor = unit ? unit.factor : 1;
  const times = (values) => (values ? values.map((v) => v * factor) : values);
  const before = chart.membenchLayout;
  const range = before.range.map((end) => end + Math.log10(factor));
  const words = unit ? axisTitle(before.title, unit) : before.title;
  const values = marks(...range);
  Plotly.restyle(chart, {
    [axis]: chart.membenchData.map((trace) => times(trace.values)),
    [`error_${axis}.arrayminus`]: chart.membenchData.map((trace) => times(trace.low)),
    [`error_${axis}.array`]: chart.membenchData.map((trace) => times(trace.high)),
  });
  Plotly.relayout(chart, { [`${axis}axis.title.text`]: words, [`${axis}axis.range`]: range,
    [`${axis}axis.tickvals`]: unit ? values : before.tickvals,
    [`${axis}axis.ticktext`]: unit ? values.map((v) => String(Number(v.toPrecision(2)))) : before.ticktext });
}

let chosenUnit = null;

function readIn(unit) {
  chosenUnit = unit || null;
  for (const { title, cells } of energyCells()) {
    rewrite(title, (words) => (words === "Energy (J)" ? `${unit.title}, per million` : titled(words, unit)), unit);
    for (const cell of cells) rewrite(cell, (words) => scaledText(words, unit), unit);
  }
  for (const node of sentences()) {
    rewrite(node, (words) => words.replace(SENTENCE, (_, value, label, context) =>
      `${scaledText(value, unit)} ${unit.sign}${label || ""} per million questions${context ? `${context} per question` : ""}`), unit);
  }
  if (window.Plotly) for (const chart of document.querySelectorAll(".js-plotly-plot")) rescaled(chart, unit);
  const note = document.getElementById("unit-note");
  note.textContent = unit ? unit.note : "";
}

function unitsOf(grids) {
  const kwh = { id: "kWh", words: "kWh", title: "Energy (kWh)", sign: "kWh", factor: MANY / KWH, note: "kWh: J / 3.6e6." };
  const carbon = grids.map((grid) => ({
    id: grid.location, words: `gCO2e, grid of ${grid.country}`, title: `Carbon (gCO2e, ${grid.location})`,
    sign: "gCO2e", factor: (MANY * grid.g_per_kwh) / KWH,
    note: `gCO2e: J / 3.6e6 x ${grid.g_per_kwh} g/kWh (${grid.country} ${grid.year}, ${grid.source}), PUE 1. `
      + "The grid is the reader's choice: no run says where its power came from.",
  }));
  return [kwh, ...carbon];
}

async function unitPicker() {
  const nav = document.querySelector("nav");
  if (!nav || !(energyCells().length || sentences().length)) return;
  const units = unitsOf(await load("grids"));
  const note = document.createElement("p");
  note.id = "unit-note";
  note.className = "note";
  const box = picker("Energy in", [["J", "J"], ...units.map((unit) => [unit.id, unit.words])], "J",
    (chosen) => readIn(units.find((unit) => unit.id === chosen)));
  box.className = "unit";
  const places = [".mb-answer", ".mb-lead", "main h1"];
  const place = places.map((name) => document.querySelector(name)).find((found) => found);
  place.after(box, note);
}

addEventListener("DOMContentLoaded", () => document.querySelectorAll("table[data-sortable]").forEach(sortable));
addEventListener("load", unitPicker);
