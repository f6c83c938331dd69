// The Explorer without a kernel: explanations at any p from stored series, and what it shows of them.
//
// `facts` says where the arrays of every caption, budget and index are; the arithmetic is that of `fixlip.explanation`.
import { between, chebyshev, summed, unpacked } from "./numbers.js";
import { bars, escaped, readout } from "./readouts.js";

const SHOWN = 10, SHOWN_TRIPLES = 5; // rows of the tables

// ---- an explanation from what is stored

// Of one index: `stored` says where its arrays are, and `numbers` gives them.
export function explanationOf(stored, numbers, p, order, range, n) {
  const at = stored.p ?? p, count = stored.values.shape[0];
  const weights = chebyshev(at, range, count), near = between(at, range, count);
  const sum = (where, by = weights) => (where ? summed(numbers(where), by) : null);
  const third = order === 3, values = sum(stored.values), pairs = order > 1 ? squared(sum(stored.pairs), n) : null;
  const valueErrors = sum(stored.value_errors, near);
  return {
    n,
    p: at,
    order,
    values,
    pairs,
    attributions: pairs ? lowered(values, pairs, third ? sum(stored.third) : null, at, n) : values,
    valueErrors,
    pairErrors: pairs && stored.pair_errors ? squared(sum(stored.pair_errors, near), n) : null,
    singleErrors: third ? null : order === 2 ? sum(stored.single_errors, near) : valueErrors,
    triples: third ? sum(stored.triples) : null,
    tripleErrors: third ? sum(stored.triple_errors, near) : null,
  };
}

// A symmetric matrix from its upper triangle, row by row.
function squared(upper, n) {
  const square = new Float32Array(n * n);
  for (let i = 0, k = 0; i < n; i++) for (let j = i + 1; j < n; j++, k++) square[i * n + j] = square[j * n + i] = upper[k];
  return square;
}

// From around p to around the empty input: e_i = D_i - p sum_j D_ij, and what triples add to that.
function lowered(values, pairs, third, p, n) {
  return values.map((value, i) => {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += pairs[i * n + j];
    return value - p * sum + (third ? third[i] : 0);
  });
}

// ---- the strongest of it, as rows of label, value and standard error

const strongest = (terms, k) =>
  terms.filter(([, value]) => value !== 0).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, k);
const errorAt = (errors, k) => (errors ? errors[k] : null);

export function tableOf(explanation, labels, nImage, chosen, k = SHOWN) {
  const { n, order, values, valueErrors, pairs, pairErrors } = explanation;
  if (chosen.length === 2) return tableOfTwo(explanation, labels, nImage, chosen, k);
  const players = [...labels.keys()], [player] = chosen;
  if (order === 1) return ["strongest", strongest(players.map((i) => [labels[i], values[i], errorAt(valueErrors, i)]), k)];
  const term = (i, j, label) => [label, pairs[i * n + j], errorAt(pairErrors, i * n + j)];
  if (player !== undefined) {
    const found = players.filter((i) => i !== player).map((i) => term(player, i, labels[i]));
    return [`strongest with ${labels[player]}`, strongest(found, k)];
  }
  const found = players.slice(0, nImage).flatMap((i) => players.slice(nImage).map((j) => term(i, j, `${labels[i]} – ${labels[j]}`)));
  return ["strongest together", strongest(found, k)];
}

// All pairs of words in reading order, as rows of triples are.
function pairsOfWords(n, nImage) {
  const found = [];
  for (let i = nImage; i < n; i++) for (let j = i + 1; j < n; j++) found.push([i, j]);
  return found;
}

function tableOfTwo({ n, triples, tripleErrors }, labels, nImage, chosen, k) {
  const [first, second] = chosen.toSorted((a, b) => a - b);
  const row = pairsOfWords(n, nImage).findIndex(([i, j]) => i === first && j === second);
  const found = labels.map((label, i) => [label, triples[row * n + i], errorAt(tripleErrors, row * n + i)]);
  return [`strongest with ${labels[chosen[0]]} and ${labels[chosen[1]]}`, strongest(found, k)];
}

export function triplesOf({ n, triples, tripleErrors }, labels, nImage, k = SHOWN_TRIPLES) {
  if (!triples) return [];
  const found = pairsOfWords(n, nImage).flatMap(([i, j], row) =>
    labels.slice(0, nImage).map((label, patch) => [`${label} – ${labels[i]} – ${labels[j]}`, triples[row * n + patch], errorAt(tripleErrors, row * n + patch)]));
  return strongest(found, k);
}

// ---- the widget

const bytes = (array, largest) => new DataView((array ? array.map((value) => value / (largest ?? 1)) : new Float32Array()).buffer);

// What a view is drawn from.
export function traitsOf(explanation, coefficients, largest) {
  const { values, attributions, pairs, valueErrors, singleErrors, pairErrors, triples, tripleErrors } = explanation;
  const arrays = {
    values: coefficients ? attributions : values, errors: coefficients ? singleErrors : valueErrors,
    interactions: pairs, pair_errors: pairErrors, triples, triple_errors: tripleErrors,
  };
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, bytes(array, largest)]));
}

export default async function live({ parts, facts, packed, hold }) {
  const numbers = await unpacked(packed), { view, table } = parts;
  const chosen = (name) => parts[name]?.get("value");
  let explanation = null;

  const captionOf = () => facts.captions.find(({ text }) => text === chosen("caption")) ?? facts.captions[0];
  const storedOf = ({ budgets }) => {
    const { indices } = budgets.find(({ budget }) => budget === chosen("budget")) ?? budgets.at(-1);
    return indices[chosen("index")] ?? Object.values(indices)[0];
  };
  const step = () => Math.round(((chosen("p") ?? facts.range[0]) - facts.range[0]) / facts.step);

  function explain() {
    const caption = captionOf(), stored = storedOf(caption), order = chosen("order") ?? stored.order;
    explanation = explanationOf(stored, numbers, chosen("p"), order, facts.range, caption.labels.length);
    hold(() => {
      parts.p?.set("disabled", stored.p !== undefined);
      show(caption, stored);
    });
    tell();
  }

  function show({ labels }, { largest }) {
    const coefficients = chosen("coefficients");
    if (labels.join("\n") !== view.get("labels").join("\n")) {
      for (const [name, value] of Object.entries({ labels, selected: -1, second: -1 })) view.set(name, value);
    }
    view.set("quantity", coefficients ? facts.coefficients : "");
    for (const [name, value] of Object.entries(traitsOf(explanation, coefficients, largest))) view.set(name, value);
  }

  function tell() {
    const caption = captionOf(), stored = storedOf(caption), { unit, largest, told, faithful } = stored;
    const selected = view.get("selected"), second = view.get("second");
    const kept = selected < 0 ? [] : second >= 0 && explanation.triples ? [selected, second] : [selected];
    const [name, rows] = tableOf(explanation, caption.labels, caption.n_image, kept);
    const triples = kept.length ? [] : triplesOf(explanation, caption.labels, caption.n_image);
    const r2 = faithful?.[explanation.order - 1]?.[faithful[explanation.order - 1].length > 1 ? step() : 0] ?? null;
    const lines = told.findLast(([from]) => from <= (stored.p === undefined ? step() : 0))[1];
    const quality = `<br>expected faithfulness (R²) ${r2 === null ? "not known here" : `<b>${r2.toFixed(2)}</b>`}`;
    table.set("value", readout(
      lines.map(escaped).join("<br>") + (stored.predicts ? quality : ""),
      bars(rows, name, unit, largest),
      triples.length ? bars(triples, "two words with a patch", unit, largest) : "",
      explanation.valueErrors ? '<span class="quiet">whiskers: 90 % intervals</span>' : "",
    ));
  }

  for (const name of ["p", "budget", "index", "order", "caption", "coefficients"]) parts[name]?.on("change:value", explain);
  parts.scaling.on("change:value", () => view.set("scaling", chosen("scaling")));
  const again = () => {
    if (!explanation) explain();
    else tell();
  };
  for (const name of ["selected", "second"]) view.on(`change:${name}`, again);
}
