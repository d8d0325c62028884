// The static site: theme, charts in its colours, Compare and Question from data files beside it.
"use strict";

const THEMES = ["system", "light", "dark"];

function storedTheme() {
  try { return localStorage.getItem("membench-theme") || "system"; } catch (error) { return "system"; }
}

function setTheme(theme) {
  try { localStorage.setItem("membench-theme", theme); } catch (error) { /* private mode */ }
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  colourCharts();
}

function themeButton() {
  const nav = document.querySelector("nav");
  if (!nav) return;
  const button = document.createElement("button");
  button.type = "button";
  const label = () => { button.textContent = `Theme: ${storedTheme()}`; };
  button.addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(storedTheme()) + 1) % THEMES.length]);
    label();
  });
  label();
  nav.append(button);
}

function colourCharts() {
  if (!window.Plotly) return;
  const colour = getComputedStyle(document.body).color;
  const line = "rgba(128, 134, 145, 0.3)";
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    if (!chart.offsetParent) continue;
    Plotly.relayout(chart, {
      "font.color": colour, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      "xaxis.gridcolor": line, "yaxis.gridcolor": line,
      "xaxis.zerolinecolor": line, "yaxis.zerolinecolor": line,
    });
  }
}

function openPoints() {
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    chart.on("plotly_click", (event) => {
      const run = event.points[0] && event.points[0].customdata;
      if (run) location.href = document.body.dataset.root + `runs/${encodeURIComponent(run)}.html`;
    });
  }
}

// --- data files: scripts that fill membenchData, so that they load from a folder as well --------

window.membenchData = window.membenchData || {};

function load(name) {
  if (window.membenchData[name]) return Promise.resolve(window.membenchData[name]);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${document.body.dataset.root}data/${name}.js`;
    script.onload = () => resolve(window.membenchData[name]);
    script.onerror = () => reject(new Error(`${name} is not in this export`));
    document.head.append(script);
  });
}

function element(name, text, attributes) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  return made;
}

function table(caption, names, rows) {
  const made = element("table");
  made.append(element("caption", caption));
  const head = made.createTHead().insertRow();
  for (const name of names) head.append(element("th", name, { scope: "col" }));
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((value) => {
      const cell = line.insertCell();
      if (value instanceof Node) cell.append(value);
      else cell.textContent = typeof value === "number" ? Number(value.toFixed(3)) : value;
      const size = cell.textContent.length;
      if (size > 16) cell.className = size > 60 ? "words" : size > 36 ? "title" : "name";
    });
  }
  const box = element("div", null, { class: "scroll", tabindex: "0", role: "region", "aria-label": caption });
  box.append(made);
  return box;
}

function picker(label, options, chosen, changed) {
  const box = element("label", `${label} `);
  const select = element("select");
  for (const [value, text] of options) {
    const option = element("option", text, { value });
    option.selected = value === chosen;
    select.append(option);
  }
  select.addEventListener("change", () => changed(select.value));
  box.append(select);
  return box;
}

const asked = (name) => new URLSearchParams(location.search).get(name);

function go(changes) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) query.set(name, value);
  try { history.replaceState(null, "", `?${query}`); } catch (error) { /* a file in a sandbox */ }
  return query;
}

const percent = (board) => (value) =>
  value === null || value === undefined ? "–" : board.fraction ? `${(100 * value).toFixed(1)} %` : value.toPrecision(3);
const signed = (board) => (value) =>
  value === null ? "–" : `${value > 0 ? "+" : ""}${board.fraction ? (100 * value).toFixed(1) : value.toPrecision(3)}`;

// --- Compare -------------------------------------------------------------------------------------

async function comparePage(place) {
  const boards = await load("boards");
  const slug = boards.some((b) => b.slug === asked("board")) ? asked("board") : boards[0].slug;
  const board = await load(`boards/${slug}`);
  const ids = board.runs.map((run) => run.id);
  const first = ids.includes(asked("first")) ? asked("first") : ids[0];
  const second = ids.includes(asked("second")) && asked("second") !== first
    ? asked("second") : otherThan(board, first);
  const again = (changes) => { go(changes); comparePage(place); };
  const names = board.runs.map((run) => [run.id, run.label]);
  const pickers = element("p", null, { class: "pickers" });
  pickers.append(
    picker("Board", boards.map((b) => [b.slug, b.title]), slug, (v) => again({ board: v, first: "", second: "" })),
    picker("First", names, first, (v) => again({ first: v, second })),
    picker("Second", names, second || "", (v) => again({ second: v, first })),
  );
  place.replaceChildren(pickers);
  if (!second) { place.append(element("p", "This board has one row: there is nothing to compare.")); return; }
  const [a, b] = [first, second].map((id) => board.runs.find((run) => run.id === id));
  drawPair(place, board, a, b, pairOf(board, first, second));
  const questions = await load(`questions/${slug}`);
  drawDisagreements(place, board, questions, a, b, slug);
}

function otherThan(board, first) {
  const system = board.runs.find((run) => run.id === first).system;
  const others = board.runs.filter((run) => run.id !== first);
  return (others.find((run) => run.system !== system) || others[0] || {}).id;
}

function pairOf(board, first, second) {
  for (const pair of board.pairs) {
    if (pair.a === first && pair.b === second) return pair;
    if (pair.a === second && pair.b === first) {
      return { ...pair, value: -pair.value, low: pair.high === null ? null : -pair.high,
        high: pair.low === null ? null : -pair.low };
    }
  }
  return null;
}

function drawPair(place, board, a, b, pair) {
  const show = percent(board);
  const interval = (run) => (run.low === null ? "too few cases" : `[${show(run.low)}, ${show(run.high)}]`);
  const row = (run) => {
    const link = element("a", run.label, { href: `runs/${encodeURIComponent(run.id)}.html` });
    return [link, show(run.score), interval(run), ...board.costs.map((cost) => run.costs[cost.id] || "–")];
  };
  const names = ["System", board.metric, "95 % interval", ...board.costs.map((c) => `${c.title} / question`)];
  place.append(table("Both rows as they stand on the board", names, [row(a), row(b)]));
  place.append(element("p", board.origin, { class: "note" }));
  if (pair) {
    const range = pair.low === null ? "too few cases for an interval"
      : `95 % interval [${signed(board)(pair.low)}, ${signed(board)(pair.high)}]`;
    const unit = board.fraction ? " points" : "";
    const p = pair.p < 0.001 ? "< 0.001" : pair.p.toFixed(3);
    place.append(element("p",
      `Difference ${signed(board)(pair.value)}${unit}, ${range}; p ${p} (paired by question, t over cases, not adjusted).`,
      { class: "finding" }));
  } else {
    place.append(element("p", "These two rows do not rest on the same questions: there is no paired difference."));
  }
  const plot = element("div", null, { role: "group", "aria-label": "Scores by category; the table below holds them" });
  place.append(plot);
  const categories = Object.keys(a.categories).filter((name) => name in b.categories);
  if (window.Plotly && categories.length) {
    const scale = board.fraction ? 100 : 1;
    const bars = [a, b].map((run, i) => ({
      type: "bar", name: run.label, x: categories, y: categories.map((c) => scale * run.categories[c]),
      marker: { color: i ? "#b9855a" : "#0b78a8", pattern: { shape: i ? "/" : "" } },
    }));
    const title = board.fraction ? `${board.metric} (%)` : board.metric;
    Plotly.newPlot(plot, bars, { barmode: "group", height: 340, margin: { t: 50, r: 8, b: 60, l: 50 },
      yaxis: { title, rangemode: "tozero" }, legend: { orientation: "h", y: 1, yanchor: "bottom" } },
    { displaylogo: false, responsive: true }).then(colourCharts);
  }
  place.append(table("By category", ["Category", a.label, b.label],
    categories.map((c) => [c, show(a.categories[c]), show(b.categories[c])])));
}

function drawDisagreements(place, board, questions, a, b, slug) {
  const [left, right] = [questions.values[a.id], questions.values[b.id]];
  if (!left || !right) return;
  const count = { both: 0, onlyA: 0, onlyB: 0, neither: 0 };
  const unlike = [];
  questions.ids.forEach((id, i) => {
    if (left[i] === null || right[i] === null) return;
    const [x, y] = [left[i] > 0, right[i] > 0];
    count[x && y ? "both" : x ? "onlyA" : y ? "onlyB" : "neither"] += 1;
    if (left[i] !== right[i]) unlike.push([id, questions.categories[i], left[i], right[i]]);
  });
  place.append(table("Questions with a score above zero", ["Both", `Only ${a.label}`, `Only ${b.label}`, "Neither"],
    [[count.both, count.onlyA, count.onlyB, count.neither]]));
  const link = (id) => element("a", id,
    { href: `question.html?board=${encodeURIComponent(slug)}&question=${encodeURIComponent(id)}` });
  place.append(table(`Questions they disagree on: ${unlike.length}, the first 200`,
    ["Question", "Category", a.label, b.label], unlike.slice(0, 200).map((r) => [link(r[0]), ...r.slice(1)])));
}

// --- Question ------------------------------------------------------------------------------------

async function questionPage(place) {
  const boards = await load("boards");
  const slug = boards.some((b) => b.slug === asked("board")) ? asked("board") : boards[0].slug;
  const [board, questions] = await Promise.all([load(`boards/${slug}`), load(`questions/${slug}`)]);
  const id = questions.ids.includes(asked("question")) ? asked("question") : questions.ids[0];
  const at = questions.ids.indexOf(id);
  const again = (changes) => { go(changes); questionPage(place); };
  const pickers = element("p", null, { class: "pickers" });
  pickers.append(
    picker("Board", boards.map((b) => [b.slug, b.title]), slug, (v) => again({ board: v, question: "" })),
    picker("Question", questions.ids.map((q) => [q, q]), id, (v) => again({ question: v })),
  );
  for (const [words, step] of [["Previous", -1], ["Next", 1]]) {
    const button = element("button", words, { type: "button" });
    button.disabled = !questions.ids[at + step];
    button.addEventListener("click", () => again({ question: questions.ids[at + step] }));
    pickers.append(button);
  }
  place.replaceChildren(pickers, element("p", `Category: ${questions.categories[at]}.`));
  const runs = board.runs.filter((run) => questions.values[run.id]);
  const value = (run) => questions.values[run.id][at];
  place.append(table(`${board.metric} of every row`, ["System", "Score"],
    runs.map((run) => [run.label, value(run) === null ? "–" : value(run)])));
  const chosen = runs.some((run) => run.id === asked("run")) ? asked("run") : (runs[0] || {}).id;
  if (!chosen) return;
  place.append(picker("What this row recalled and answered", runs.map((r) => [r.id, r.label]), chosen,
    (v) => again({ run: v })));
  const answers = await load(`answers/${chosen}`);
  const mine = answers.questions[id];
  if (!mine) { place.append(element("p", "Nothing of this question is recorded.")); return; }
  place.append(element("p", `Answer: ${mine.answer}`), table(
    `Recalled: ${mine.count} memories, the first ${mine.recalled.length} by their source turns`,
    ["Rank", "Sources"], mine.recalled.map((sources, i) => [i + 1, sources])));
  place.append(element("p", "Words of the benchmark are not in an export: their licences forbid it.", { class: "note" }));
}

// --- start ---------------------------------------------------------------------------------------

if (storedTheme() !== "system") document.documentElement.dataset.theme = storedTheme();
addEventListener("DOMContentLoaded", () => {
  themeButton();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", colourCharts);
  for (const [id, draw] of [["compare", comparePage], ["question", questionPage]]) {
    const place = document.getElementById(id);
    if (place) draw(place).catch((error) => place.replaceChildren(element("p", String(error.message))));
  }
});
addEventListener("load", () => { colourCharts(); openPoints(); });
addEventListener("resize", colourCharts);
