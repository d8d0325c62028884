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

// --- charts: drawn when they are first seen, with the library that is loaded for the first of them -

let loading = null;

function library() {
  loading = loading || new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${document.body.dataset.root}assets/plotly.min.js`;
    script.onload = resolve;
    script.onerror = () => reject(new Error("the chart library is not in this export"));
    document.head.append(script);
  });
  return loading;
}

async function drawChart(place) {
  const figure = JSON.parse(place.querySelector("script").textContent);
  const [tools] = await Promise.all([load("tools"), library()]);
  const chart = element("div");
  place.append(chart);
  await Plotly.newPlot(chart, figure.data, figure.layout, tools);
  chart.on("plotly_click", (event) => {
    const run = event.points[0] && event.points[0].customdata;
    if (run) location.href = document.body.dataset.root + `runs/${encodeURIComponent(run)}.html`;
  });
  if (chosenUnit) rescaled(chart, chosenUnit);
  colourCharts();
}

function drawWhenSeen() {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      drawChart(entry.target).catch((error) => entry.target.append(element("p", String(error.message))));
    }
  }, { rootMargin: "200px" });
  for (const place of document.querySelectorAll(".mb-chart")) seen.observe(place);
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

const FIGURE = /^([-+]?[\d,.]+( %| J)?( \[.*\])?( \w+)?|–)$/;

function table(caption, names, rows) {
  const made = element("table");
  made.append(element("caption", caption));
  const head = made.createTHead().insertRow();
  names.forEach((name, i) => {
    const figures = rows.length && rows.every((row) => !(row[i] instanceof Node) && FIGURE.test(String(row[i])));
    head.append(element("th", name, figures ? { scope: "col", class: "num" } : { scope: "col" }));
  });
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((value) => {
      const cell = line.insertCell();
      if (value instanceof Node) cell.append(value);
      else cell.textContent = typeof value === "number" ? value.toLocaleString("en-US") : value;
      const size = cell.textContent.length;
      if (FIGURE.test(cell.textContent)) cell.className = "num";
      else if (size > 16) cell.className = size > 60 ? "words" : size > 36 ? "title" : "name";
    });
  }
  const box = element("div", null, { class: "scroll", tabindex: "0", role: "region", "aria-label": caption });
  box.append(made);
  return box;
}

function picker(label, options, chosen, changed) {
  const box = element("label", `${label} `);
  const select = element("select", null, { "data-control": label });
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

// A page is drawn anew at every choice: the control that was used keeps the focus, a live region says
// what is shown, and a drawing that was overtaken by a later one stops.

let drawings = 0;

function begun() {
  drawings += 1;
  const mine = drawings;
  return () => mine === drawings;
}

function replaceControls(place, ...parts) {
  const control = document.activeElement && document.activeElement.dataset.control;
  place.replaceChildren(...parts);
  if (!control) return;
  const all = [...place.querySelectorAll("[data-control]")];
  const same = all.find((one) => one.dataset.control === control);
  const next = same && !same.disabled ? same : all.find((one) => one.tagName === "BUTTON" && !one.disabled);
  if (next) next.focus();
}

function say(words) {
  document.getElementById("said").textContent = words;
}

const plain = (value) => (value < 0 ? `-${digits(-value)}` : digits(value));
const percent = (board) => (value) =>
  value === null || value === undefined ? "–" : board.fraction ? `${(100 * value).toFixed(1)} %` : plain(value);
const signed = (board) => (value) =>
  value === null ? "–" : `${value > 0 ? "+" : ""}${board.fraction ? (100 * value).toFixed(1) : plain(value)}`;

// --- Compare -------------------------------------------------------------------------------------

async function comparePage(place) {
  const current = begun();
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
  const questions = await load(`questions/${slug}`);
  if (!current()) return;
  replaceControls(place, pickers);
  if (!second) { place.append(element("p", "This board has one row: there is nothing to compare.")); return; }
  const [a, b] = [first, second].map((id) => board.runs.find((run) => run.id === id));
  say(`Compared: ${a.label} with ${b.label}.`);
  drawPair(place, board, a, b, pairOf(board, first, second));
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
  place.append(element("h2", "Scores and costs"), table("Both rows as they stand on the board", names, [row(a), row(b)]));
  place.append(element("p", board.origin, { class: "note" }));
  if (pair) {
    const range = pair.low === null ? "too few cases for an interval"
      : `95 % interval [${signed(board)(pair.low)}, ${signed(board)(pair.high)}]`;
    const unit = board.fraction ? " points" : "";
    const p = pair.p === null ? "" : `; p ${pair.p < 0.001 ? "< 0.001" : pair.p.toFixed(3)}`;
    const how = pair.p === null ? "paired by question" : "paired by question, t over cases, not adjusted";
    place.append(element("p",
      `Difference ${signed(board)(pair.value)}${unit}, ${range}${p} (${how}).`,
      { class: "finding" }));
  } else {
    place.append(element("p", "These two rows do not rest on the same questions: there is no paired difference."));
  }
  const plot = element("div", null, { role: "group", "aria-label": "Scores by category; the table below holds them" });
  const categories = Object.keys(a.categories).filter((name) => name in b.categories);
  if (!categories.length) return;
  place.append(element("h2", "By category"), plot);
  drawCategories(plot, board, a, b, categories).catch((error) => plot.append(element("p", String(error.message))));
  place.append(table("Scores by category", ["Category", a.label, b.label],
    categories.map((c) => [c, show(a.categories[c]), show(b.categories[c])])));
}

async function drawCategories(plot, board, a, b, categories) {
  const [tools] = await Promise.all([load("tools"), library()]);
  const scale = board.fraction ? 100 : 1;
  const bars = [a, b].map((run, i) => ({
    type: "bar", name: run.label, x: categories, y: categories.map((c) => scale * run.categories[c]),
    marker: { color: i ? "#b9855a" : "#0b78a8", pattern: { shape: i ? "/" : "" } },
  }));
  const text = board.fraction ? `${board.metric} (%)` : board.metric;
  if (!plot.isConnected) return;
  await Plotly.newPlot(plot, bars, { barmode: "group", height: 380, margin: { t: 50, r: 16, b: 30, l: 30 },
    xaxis: { automargin: true, type: "category" }, yaxis: { title: { text }, automargin: true, rangemode: "tozero" },
    legend: { orientation: "h", y: 1, yanchor: "bottom" } }, tools);
  colourCharts();
}

const MOST_UNLIKE = 200;

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
  const show = percent(board);
  place.append(element("h2", "Questions"), table("Questions with a score above zero",
    ["Both", `Only ${a.label}`, `Only ${b.label}`, "Neither"], [[count.both, count.onlyA, count.onlyB, count.neither]]));
  const link = (id) => element("a", id,
    { href: `question.html?board=${encodeURIComponent(slug)}&question=${encodeURIComponent(id)}` });
  const listed = unlike.slice(0, MOST_UNLIKE);
  const part = listed.length < unlike.length ? `, the first ${MOST_UNLIKE}` : "";
  const title = `Questions they disagree on: ${unlike.length.toLocaleString("en-US")}${part}`;
  const box = element("details");
  box.open = innerWidth > 640;
  box.append(element("summary", title));
  place.append(box);
  box.append(table("Their scores", ["Question", "Category", a.label, b.label],
    listed.map(([id, category, x, y]) => [link(id), category, show(x), show(y)])));
}

// --- Question ------------------------------------------------------------------------------------

async function questionPage(place) {
  const current = begun();
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
    const button = element("button", words, { type: "button", "data-control": words });
    button.disabled = !questions.ids[at + step];
    button.addEventListener("click", () => again({ question: questions.ids[at + step] }));
    pickers.append(button);
  }
  const runs = board.runs.filter((run) => questions.values[run.id]);
  const chosen = runs.some((run) => run.id === asked("run")) ? asked("run") : (runs[0] || {}).id;
  const answers = chosen ? await load(`answers/${chosen}`) : null;
  if (!current()) return;
  const show = percent(board);
  const value = (run) => questions.values[run.id][at];
  const parts = [pickers, element("p", `Category: ${questions.categories[at]}.`), element("h2", "Scores"),
    table(`${board.metric} of every row`, ["System", "Score"], runs.map((run) => [run.label, show(value(run))]))];
  if (chosen) {
    parts.push(element("h2", "Recalled and answered"), picker("Row", runs.map((r) => [r.id, r.label]), chosen,
      (v) => again({ run: v })), ...recalled(answers.questions[id]));
  }
  replaceControls(place, ...parts);
  say(`Question ${(at + 1).toLocaleString("en-US")} of ${questions.ids.length.toLocaleString("en-US")}: ${id}.`);
}

function recalled(mine) {
  if (!mine) return [element("p", "Nothing of this question is recorded.")];
  const first = mine.recalled.length < mine.count ? `, the first ${mine.recalled.length}` : "";
  return [element("p", `Answer: ${mine.answer}`), table(
    `Recalled: ${mine.count} memories${first}, by their source turns`,
    ["Rank", "Sources"], mine.recalled.map((sources, i) => [i + 1, sources])),
  element("p", "Words of the benchmark are not in an export: their licences forbid it.", { class: "note" })];
}

// --- start ---------------------------------------------------------------------------------------

if (storedTheme() !== "system") document.documentElement.dataset.theme = storedTheme();
addEventListener("DOMContentLoaded", () => {
  themeButton();
  drawWhenSeen();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", colourCharts);
  for (const [id, draw] of [["compare", comparePage], ["question", questionPage]]) {
    const place = document.getElementById(id);
    if (place) draw(place).catch((error) => place.replaceChildren(element("p", String(error.message))));
  }
});
addEventListener("resize", colourCharts);
