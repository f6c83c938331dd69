// What a widget says in numbers, as HTML: the same as `readouts.py` writes, letter by letter.
import { tell } from "./pair.js";

const WIDTH = 120, HEIGHT = 16; // of a bar with its room, in CSS pixels
const INTERVAL = 1.645; // half the width of a 90 % interval, in standard errors
const POSITIVE = "#b2182b", NEGATIVE = "#2166ac";

const SPECIAL = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
export const escaped = (text) => text.replace(/[&<>"']/g, (one) => SPECIAL[one]);

// A value with its sign, in logits or relative to the largest score.
export const number = (value, largest = null) => tell(value / (largest ?? 1), largest !== null);

export const deviation = (error, largest = null) =>
  error === null ? "" : `± ${number(error, largest).replace(/^\+/, "")}`;

export const readout = (...parts) => `<div class="fixlip-readout">${parts.join("")}</div>`;

// Cells are HTML; all columns from `figures` on are set as figures.
export function table(head, rows, figures = 1) {
  const row = (cells, kind) =>
    `<tr>${cells.map((cell, k) => `<${kind}${k < figures ? "" : ' class="figure"'}>${cell}</${kind}>`).join("")}</tr>`;
  return `<table>${row(head, "th")}${rows.map((cells) => row(cells, "td")).join("")}</table>`;
}

// Rows of name, value and standard error or null, with bars from zero and whiskers.
export function bars(rows, name, unit = "logits", largest = null) {
  const whiskers = rows.flatMap(([, value, error]) => [-1, 1].map((sign) => value + sign * INTERVAL * (error ?? 0)));
  const span = [Math.min(0, ...whiskers), Math.max(0, ...whiskers)];
  const cells = rows.map(([label, value, error]) => [
    escaped(label), bar(value, error, span), number(value, largest), deviation(error, largest),
  ]);
  if (largest !== null && rows.every(([, , error]) => error === null)) {
    return table([escaped(name), "", unit], cells.map((row) => row.slice(0, 3)), 2);
  }
  return table([escaped(name), "", unit, "standard error"], cells, 2);
}

function bar(value, error, [low, high]) {
  const at = (x) => 4 + ((WIDTH - 8) * (x - low)) / (high - low || 1);
  const zero = at(0), end = at(value), f = (x) => x.toFixed(1);
  const marks = [
    `<line x1="${f(zero)}" x2="${f(zero)}" y1="0" y2="${HEIGHT}" stroke="currentColor" opacity="0.4"/>`,
    `<rect x="${f(Math.min(zero, end))}" y="4" width="${f(Math.abs(end - zero))}" height="8" fill="${value > 0 ? POSITIVE : NEGATIVE}"/>`,
  ];
  if (error !== null) {
    const [from, to] = [-1, 1].map((sign) => f(at(value + sign * INTERVAL * error)));
    marks.push(`<path d="M${from},8H${to}M${from},5V11M${to},5V11" stroke="currentColor" stroke-width="1.5" fill="none"/>`);
  }
  const shape = `viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none"`;
  return `<svg width="${WIDTH}" height="${HEIGHT}" ${shape} aria-hidden="true">${marks.join("")}</svg>`;
}

// A bar filled to a share between 0 and 1, with words for who cannot see it.
export function gauge(share, words) {
  const filled = (100 * Math.min(1, Math.max(0, share))).toFixed(1);
  const bar = `<span style="width:${filled}%;background:${POSITIVE}"></span>`;
  return `<div class="fixlip-gauge" role="img" aria-label="${escaped(words)}">${bar}</div>`;
}

// What curves' colours mean, and their dashes: lists of a name and a colour or dash.
export function key(colours, dashes) {
  const entry = (name, line) => `<span><svg width="26" height="10" viewBox="0 0 26 10">${line}</svg>${escaped(name)}</span>`;
  const swatches = colours.map(([name, colour]) => entry(name, `<rect width="26" height="10" rx="3" fill="${colour}"/>`));
  const lines = dashes.map(([name, dash]) =>
    entry(name, `<path d="M0,5H26" stroke="currentColor" stroke-width="2.5" stroke-dasharray="${dash || "none"}"/>`));
  return `<div class="fixlip-key">${swatches.join("")}</div><div class="fixlip-key">${lines.join("")}</div>`;
}
