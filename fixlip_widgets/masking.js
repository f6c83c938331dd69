// The masking game without a kernel: the model itself runs in the page.
import { encoderOf, gameOf, weightsOf } from "./model.js";
import { unpacked } from "./numbers.js";
import { escaped, gauge, number, readout } from "./readouts.js";

// A coalition's value, and what single players and two together add to the others that are present.
export function effects(value, present) {
  const changed = (changes) => present.map((one, k) => changes[k] ?? one);
  return {
    effect: (player) => value(changed({ [player]: true })) - value(changed({ [player]: false })),
    interaction: (first, second) => {
      const at = (a, b) => value(changed({ [first]: a, [second]: b }));
      return at(true, true) - at(true, false) - at(false, true) + at(false, false);
    },
  };
}

// How far a value lies from that of the empty coalition towards that of the grand coalition, and of what.
function shareOf(value, { empty, full }) {
  if (empty === full) return [NaN, `as with everything removed and with everything present (${full.toFixed(2)} both)`];
  const share = (value - empty) / (full - empty);
  return [share, `${Math.round(100 * share)} % of the way from everything removed (${empty.toFixed(2)}) to everything present (${full.toFixed(2)})`];
}

// What is said of a coalition, and what is written on players: those that were changed last, or -1.
export function told(value, present, last, before, facts) {
  const { effect, interaction } = effects(value, present), { labels } = facts, now = value(present);
  const [share, words] = shareOf(now, facts), notes = [];
  const parts = [`similarity <b>${now.toFixed(2)}</b>`, gauge(share || 0, words), `<span class="quiet">${escaped(words)}</span>`];
  if (last >= 0) {
    const adds = number(effect(last));
    notes.push([last, adds]);
    parts.push(`<p>“${escaped(labels[last])}” adds <b>${adds}</b> to what else is there`);
  }
  if (before >= 0) {
    notes.push([before, number(effect(before))]);
    const both = number(interaction(last, before));
    parts.push(`<br>together with “${escaped(labels[before])}” it adds <b>${both}</b> more than one by one (their interaction)`);
  }
  return { html: readout(...parts), notes };
}

export async function valueOf(facts, packed, shared) {
  const { config, ...stored } = shared[facts.model], numbers = await unpacked(packed);
  const encoder = encoderOf({ config, weights: await weightsOf(stored) });
  const arrays = Object.fromEntries(Object.entries(facts.arrays).map(([name, where]) => [name, where && numbers(where)]));
  if (facts.normalised) {
    const { mean, std } = facts.normalised, each = arrays.pixels.length / 3;
    arrays.pixels = arrays.pixels.map((value, k) => (value / 255 - mean[Math.floor(k / each)]) / std[Math.floor(k / each)]);
  }
  return gameOf(facts, arrays, encoder);
}

export default async function live({ parts, facts, packed, shared, hold }) {
  const { view, readout: place } = parts, value = await valueOf(facts, packed, shared);
  let present = view.get("present"), last = -1, before = -1;

  view.on("change:present", () => {
    const now = view.get("present"), changed = [...now.keys()].filter((k) => now[k] !== present[k]);
    if (changed.length === 1 && changed[0] !== last) [before, last] = [last, changed[0]];
    present = now;
    const { html, notes } = told(value, present, last, before, facts);
    hold(() => {
      place.set("value", html);
      view.set("notes", notes);
    });
  });
  const choose = (name, mask) => parts[name].on("change:value", () => view.set("present", present.map(mask)));
  choose("everything", () => true);
  choose("nothing", () => false);
  choose("random mask at p", () => Math.random() < parts.p.get("value"));
}
