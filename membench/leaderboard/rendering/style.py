"""The look of the static site and of reports."""

from __future__ import annotations

WORDS_STYLE = """
td.title { white-space: normal !important; min-width: 14rem; }
td.words { white-space: normal !important; min-width: 20rem; }
td.prose { white-space: normal !important; min-width: 24rem; }
td.prose details[open] { min-width: 36rem; } td.prose summary { padding: 0; }
th.num, td.num { text-align: right !important; font-variant-numeric: tabular-nums; }
dl.meanings dt { font-weight: 600; } dl.meanings dd { margin: 0 0 .4rem 1rem; }
dl.facts { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .1rem 1rem; }
dl.facts dt { font-weight: 600; } dl.facts dd { margin: 0; }
@media (max-width: 640px) { td.words, td.prose, td.prose details[open] { min-width: 14rem; } }
"""
"""Of cells with figures, a long title, a sentence or a paragraph."""

STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d5d8de, #43474f);
  --page: light-dark(#fff, #16181c); --shade: light-dark(rgba(0,0,0,.22), rgba(255,255,255,.26));
  --faint: light-dark(#555b66, #b2b7c1); --ground: light-dark(#f4f5f7, #23262b); }
:root[data-theme=light] { color-scheme: light; } :root[data-theme=dark] { color-scheme: dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 80rem; padding: .6rem 1rem;
  background: var(--page); color: light-dark(#1d2026, #e8eaee); }
a { color: light-dark(#075985, #7cc4ee); }
.skip { position: absolute; left: -99rem; background: var(--page); padding: .3rem .6rem; }
.skip:focus { left: .6rem; z-index: 9; }
main:focus { outline: none; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; padding: .3rem 0; align-items: center; }
nav { border-bottom: 1px solid var(--line); }
nav a[aria-current] { font-weight: 600; text-decoration: none; color: inherit; }
nav button { margin-left: auto; }
button, select { font: inherit; padding: .2rem .6rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--ground); color: inherit; max-width: 100%; }
.unit select { max-width: 14rem; }
h1 { font-size: 1.5rem; margin: .6rem 0; } h2 { font-size: 1.2rem; margin-top: 1.6rem; }
h1, h2, summary, caption, p, dt, dd { overflow-wrap: anywhere; }
.pickers { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.pickers label { max-width: 100%; min-width: 0; }
ul.boards { list-style: none; padding: 0; margin: .5rem 0; display: flex; flex-wrap: wrap;
  gap: .5rem 1.4rem; }
ul.boards li { display: flex; flex-wrap: wrap; gap: .3rem .4rem; align-items: center; }
ul.boards a, ul.boards strong { border: 1px solid var(--line); border-radius: .5rem;
  padding: .05rem .55rem; text-decoration: none; }
ul.boards strong { background: var(--ground); }
input { font: inherit; padding: .2rem .6rem; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--ground); color: inherit; max-width: 100%; box-sizing: border-box; }
p.note { color: var(--faint); } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; padding: .2rem 0; }
.unit { display: block; margin: .2rem 0; } .search { display: block; margin: .6rem 0; }
.narrow { display: none; }
@media (max-width: 640px) {
  .narrow { display: block; } .wide-only, .modebar-container { display: none; }
  body { padding: .4rem .7rem; } h1 { font-size: 1.2rem; margin: .4rem 0; }
  nav { flex-wrap: nowrap; overflow-x: auto; white-space: nowrap; gap: .9rem; font-size: .95rem; }
  ul.boards li { flex-basis: 100%; }
}
"""
"""Of pages."""

TABLE_STYLE = """
.scroll { overflow-x: auto; max-width: 100%; background:
  linear-gradient(to right, var(--page) 40%, transparent) 0 0 / 2rem 100% no-repeat local,
  linear-gradient(to left, var(--page) 40%, transparent) 100% 0 / 2rem 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) 0 0 / .8rem 100% no-repeat scroll,
  linear-gradient(to left, var(--shade), transparent) 100% 0 / .8rem 100% no-repeat scroll; }
table { border-collapse: separate; border-spacing: 0; font-size: .9rem; }
caption { text-align: left; color: var(--faint); padding: .3rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; vertical-align: top; }
th, td { text-align: left; white-space: nowrap; }
th { vertical-align: bottom; }
th button { border: 0; padding: 0; background: none; font-weight: inherit; cursor: pointer; }
th button { text-align: inherit; }
th[aria-sort] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
tr[hidden] { display: none; }
@media (min-width: 641px) {
  table[data-pinned] th:first-child, table[data-pinned] td:first-child { position: sticky;
    left: 0; background: var(--page); z-index: 1; border-bottom-color: transparent; }
  table[data-pinned] td:first-child { box-shadow: 0 -1px var(--line); }
  table[data-pinned="2"] th:first-child, table[data-pinned="2"] td:first-child {
    box-sizing: border-box; width: 4.6rem; min-width: 4.6rem; max-width: 4.6rem; }
  table[data-pinned="2"] th:nth-child(2), table[data-pinned="2"] td:nth-child(2) {
    position: sticky; left: 4.6rem; background: var(--page); z-index: 1;
    min-width: 18rem; max-width: 18rem;
    white-space: normal; overflow-wrap: anywhere;
    border-right: 1px solid var(--line); border-bottom-color: transparent; }
  table[data-pinned="2"] td:nth-child(2) { box-shadow: 0 -1px var(--line); }
  table[data-pinned="2"] td:nth-child(n+3):is(.words, .title) { min-width: 30rem; }
  table[data-pinned] tr:last-child td { border-bottom-color: var(--line); }
}
@media (max-width: 640px) {
  th { white-space: normal; min-width: 4.5rem; }
  td.name:first-child, td.title:first-child { white-space: normal; min-width: 10rem; }
}
"""
"""Of tables: the first columns stay, and a shadow says on which side there is more."""
