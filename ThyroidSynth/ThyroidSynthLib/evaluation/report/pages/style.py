"""How the report looks, in the light and in the dark. Kept as Python so that every installation carries it."""

STYLE = """\
:root {
  color-scheme: light dark;
  --page: #ffffff;
  --ink: #22262d;
  --soft: #5c6470;
  --line: #dfe3e8;
  --tile: #f5f6f8;
  --banner: #fff4e0;
  --banner-line: #e0a23b;
  --accent: #b04a35;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #171a1f;
    --ink: #e4e7ec;
    --soft: #a3abb8;
    --line: #343a43;
    --tile: #20242b;
    --banner: #33291a;
    --banner-line: #b9822b;
    --accent: #e58a74;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); }
body { font: 16px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.8rem 0 .9rem; padding-bottom: .35rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
.lead { color: var(--soft); margin: 0 0 1.2rem; }
.banner { background: var(--banner); border-left: 4px solid var(--banner-line); padding: .6rem .9rem; margin: .5rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .8rem; margin: 1.4rem 0; }
.tile { background: var(--tile); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.2; color: var(--accent); }
.tile span { display: block; }
.tile small { color: var(--soft); }
figure { margin: 1rem 0 1.4rem; }
/* Figures are drawn on white; in the dark they stand on a card of their own. */
figure img { display: block; width: 100%; height: auto; background: #fff; }
figure img { border: 1px solid var(--line); border-radius: 8px; padding: .6rem; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1rem; }
table { font-size: .94rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .42rem .8rem .42rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
td small { color: var(--soft); }
table.even { table-layout: fixed; min-width: 40rem; }
table.even td:first-child, table.even th:first-child { width: 19rem; }
b.leading { color: var(--accent); }
code { font-size: .8rem; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--accent); }
@media print { body { font-size: 11pt; } section { break-inside: avoid-page; } }
"""
