/** The report's only style sheet. Everything is on the page: no fonts, no images, nothing to load. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #faf9f6; --card: #ffffff; --ink: #1c2026; --muted: #59606a; --rule: #e3e0d8; --rule-strong: #b9b5aa;
  --accent: #205f86; --accent-soft: #9dc3dc; --link: #1a5a80;
  --held: #6aa5c4; --caught: #7c62a8; --violation: #cc4125; --not-measured: #c9c5bc; --harness-broken: #d39a1f;
  --violation-ink: #a82f16; --held-ink: #1c5f3c; --warn-ink: #7a5200; --caught-ink: #5a4287;
  --violation-wash: #fbeae5; --held-wash: #e6f2ea; --warn-wash: #fbf1da; --caught-wash: #efeaf6;
  --durable: #3f6f8f; --kept: #a8cbe0; --torn: #e0a339; --lost: #d9553a; --sign: #ffffff; --ack: #1c7a4a;
  --code: #f1efe9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1b1f25; --ink: #e8e6e1; --muted: #a5abb4; --rule: #2c323a; --rule-strong: #59616c;
    --accent: #8cc3e6; --accent-soft: #34566c; --link: #8cc3e6;
    --held: #4a88ab; --caught: #9a82c8; --violation: #e8674a; --not-measured: #565c64; --harness-broken: #d8a63e;
    --violation-ink: #ff9a82; --held-ink: #86d3a5; --warn-ink: #ebc36a; --caught-ink: #c4b0ea;
    --violation-wash: #3a1f19; --held-wash: #16301f; --warn-wash: #33290f; --caught-wash: #282138;
    --durable: #5d94b8; --kept: #36566a; --torn: #c48a2a; --lost: #d9553a; --sign: #ffffff; --ack: #5cc48b;
    --code: #242930;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
}
main, header, footer { max-width: 1120px; margin: 0 auto; padding: 0 24px; }
a { color: var(--link); text-underline-offset: 2px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 12px; top: 12px; background: var(--card); padding: 6px 12px; z-index: 1; }

.mast { display: flex; flex-wrap: wrap; gap: 4px 20px; align-items: baseline; padding-top: 28px; color: var(--muted); font-size: 14px; }
.mast b { color: var(--ink); font-size: 17px; letter-spacing: -0.01em; }
.mast span { overflow-wrap: anywhere; }
.banner { display: flex; gap: 20px; margin: 14px 0 22px; padding: 24px 26px; border-radius: 12px; align-items: flex-start; }
.banner svg { flex: none; width: 46px; height: 46px; margin-top: 2px; }
.banner h1 { margin: 0; font-size: clamp(26px, 4.4vw, 38px); line-height: 1.15; letter-spacing: -0.02em; }
.banner p { margin: 6px 0 0; font-size: 18px; line-height: 1.45; overflow-wrap: anywhere; }
.banner .note { font-size: 15px; color: var(--muted); }
.good { background: var(--held-wash); } .good h1, .good svg { color: var(--held-ink); }
.bad { background: var(--violation-wash); } .bad h1, .bad svg { color: var(--violation-ink); }
.warn { background: var(--warn-wash); } .warn h1, .warn svg { color: var(--warn-ink); }

.figures { display: flex; flex-wrap: wrap; margin: 0 0 18px; border: 1px solid var(--rule); border-radius: 12px; overflow: hidden; background: var(--rule); gap: 1px; }
.figures div { flex: 1 1 132px; background: var(--card); padding: 14px 16px; }
.figures dt { color: var(--muted); font-size: 13px; line-height: 1.3; }
.figures dd { margin: 2px 0 0; font-size: 25px; font-weight: 620; letter-spacing: -0.02em; line-height: 1.2; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.figures dd small { display: block; font-size: 13px; font-weight: 400; letter-spacing: 0; color: var(--muted); line-height: 1.35; margin-top: 3px; }
.figures .alarm dd { color: var(--violation-ink); }

nav { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 4px 0 6px; font-size: 14px; }
section { margin: 40px 0 0; }
h2 { margin: 0 0 4px; font-size: 23px; letter-spacing: -0.015em; line-height: 1.25; }
h2 + p.lead, h3 + p.lead { margin: 0 0 16px; color: var(--muted); max-width: 70ch; }
h3 { margin: 0 0 6px; font-size: 16px; }
.scroll + h3, .matrix + h3 { margin-top: 26px; }
h3 + p.lead { font-size: 14px; margin-bottom: 10px; }
p, li { max-width: 78ch; overflow-wrap: anywhere; }
ul { padding-left: 1.2em; } li { margin: 5px 0; }
code, pre, kbd { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: 0.88em; }

.finding { margin: 16px 0 0; padding: 18px 20px; background: var(--card); border: 1px solid var(--rule); border-left: 5px solid var(--violation); border-radius: 10px; }
.finding.expected { border-left-color: var(--caught); }
.finding > h3 { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: baseline; font-size: 17px; overflow-wrap: anywhere; }
.finding .what { margin: 4px 0; white-space: pre-wrap; max-height: 26em; overflow: auto; }
.finding .where { margin: 0 0 10px; color: var(--muted); font-size: 14px; }
.replay { margin-top: 12px; display: flex; gap: 8px; align-items: stretch; }
.replay code { flex: 1; min-width: 0; padding: 9px 12px; background: var(--code); border-radius: 7px; white-space: pre-wrap; overflow-wrap: anywhere; user-select: all; max-height: 12em; overflow: auto; }
.replay button { flex: none; font: inherit; font-size: 13px; padding: 0 13px; border: 1px solid var(--rule-strong); border-radius: 7px; background: var(--card); color: var(--ink); cursor: pointer; }
.replay button:hover { border-color: var(--accent); }
.finding .chart { margin: 14px 0 0; padding: 0; border: 0; }

.pill { display: inline-block; padding: 1px 9px; border-radius: 99px; font-size: 13px; font-weight: 600; line-height: 1.5; white-space: nowrap; }
.pill.held, .pill.caught { background: var(--held-wash); color: var(--held-ink); }
.pill.violation, .pill.missed { background: var(--violation-wash); color: var(--violation-ink); }
.pill.neutral { background: var(--code); color: var(--muted); }
.pill.unmeasured { background: var(--warn-wash); color: var(--warn-ink); }

.scroll { overflow-x: auto; margin: 12px 0; border: 1px solid var(--rule); border-radius: 10px; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-size: 14px; line-height: 1.4; font-variant-numeric: tabular-nums; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: 7px 12px; text-align: left; vertical-align: top; border-top: 1px solid var(--rule); }
thead th { border-top: 0; color: var(--muted); font-weight: 500; white-space: nowrap; vertical-align: bottom; }
tbody th { font-weight: 560; }
td { max-width: 60ch; overflow-wrap: break-word; }
.whole { white-space: nowrap; }
.w { min-width: 18ch; }
.n { text-align: right; white-space: nowrap; }
thead th.n { white-space: normal; }
.matrix td, .matrix tbody th { text-align: center; }
.matrix tbody th { text-align: left; vertical-align: middle; }
.matrix thead th:not(:first-child) { text-align: center; }
.cell { display: block; font-size: 12px; color: var(--muted); }

.chart { margin: 18px 0 0; padding: 18px 20px 14px; background: var(--card); border: 1px solid var(--rule); border-radius: 10px; min-width: 0; }
.chart figcaption { margin-top: 8px; color: var(--muted); font-size: 14px; max-width: 80ch; overflow-wrap: anywhere; }
.plot { display: block; width: 100%; height: auto; max-width: 100%; }
.plot text { white-space: pre; }
.narrow { display: none; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(430px, 1fr)); gap: 0 18px; align-items: start; }
.pair .plot { max-width: 600px; } .narrow .plot { max-width: 480px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 8px 0 0; font-size: 13px; color: var(--muted); }
.legend span { display: inline-flex; align-items: center; gap: 7px; }
.swatch { width: 12px; height: 12px; border-radius: 3px; flex: none; }
details { margin-top: 8px; } summary { cursor: pointer; color: var(--link); font-size: 14px; width: fit-content; }
details pre { max-height: 30em; overflow: auto; padding: 12px; background: var(--code); border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
.data .scroll { max-height: 22em; overflow: auto; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 22px; margin: 10px 0; font-size: 15px; }
dl.facts dt { color: var(--muted); } dl.facts dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
footer { margin-top: 56px; padding-top: 16px; padding-bottom: 40px; color: var(--muted); font-size: 13px; }

@media (max-width: 760px) {
  main, header, footer { padding-left: 16px; padding-right: 16px; }
  .banner { padding: 18px; gap: 14px; } .banner svg { width: 34px; height: 34px; } .banner p { font-size: 16px; }
  .chart { padding: 14px 12px 10px; }
  .wide { display: none; } .narrow { display: block; }
  .pair { grid-template-columns: minmax(0, 1fr); }
  .replay { flex-direction: column; } .replay button { padding: 7px; }
  dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: 8px; }
}
@media print {
  :root { color-scheme: light; }
  body { font-size: 11pt; background: none; }
  nav, .replay button, .skip, .data { display: none; }
  .banner, .finding, .chart, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
  .banner, .pill, .swatch, .plot { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
`;
