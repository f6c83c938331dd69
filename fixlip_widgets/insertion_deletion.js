// Insertion and deletion without a kernel: stored curves, and the masked pair at every step.
import { unpacked } from "./numbers.js";
import { escaped, key, readout } from "./readouts.js";

const DASHES = { insertion: "", deletion: "5 4" };

// The curves that belong together at a choice, each with its name and colour, and why there are not all.
export function chosenCurves({ sides, colours, others }, { at, removed, compared }) {
  const { own, others: stored } = sides[removed], mine = own[Math.min(at, own.length - 1)];
  const failed = Object.values(mine).find(({ error }) => error);
  if (failed) return { found: [], error: failed.error };
  const left = [...others], found = Object.entries(mine).map(([name, curves]) => ({ name, curves, colour: colours[name] ?? left.shift() }));
  let error = "";
  for (const name of new Set(compared.filter((one) => one in stored))) {
    const curves = stored[name][Math.min(at, stored[name].length - 1)];
    if (curves.error) error = `${name}: ${curves.error}`;
    else found.push({ name, curves, colour: left.shift() });
  }
  return { found, error };
}

export default async function live({ parts, facts, packed, hold }) {
  const numbers = await unpacked(packed), { view, plot, step, play } = parts;
  const chosen = (name) => parts[name].get("value");
  let main = null;

  function show() {
    const at = parts.p ? Math.round((chosen("p") - facts.low) / facts.step) : 0, removed = chosen("removed");
    const { found, error } = chosenCurves(facts, { at, removed, compared: [chosen("against"), chosen("also")] });
    const lines = found.flatMap(({ name, curves, colour }) => Object.entries(DASHES).map(([kind, dash], k) =>
      ({ name: `${name}, ${kind}`, y: [...numbers(k ? curves.delete : curves.insert)], colour, dash })));
    const areas = found.map(({ name, curves: { area } }) => [name, area.toFixed(2)]);
    main = found[0]?.curves ?? null;
    hold(() => {
      if (main) countSteps(lines[0].y.length - 1);
      plot.set("curves", lines);
      plot.set("words", `AID: ${areas.map((one) => one.join(" ")).join(", ") || "not available"}`);
      scrub();
    });
    const whose = removed === "both" ? "" : `, ${facts.removed[removed]}`;
    const told = areas.map(([name, area]) => `${escaped(name)} <b>${area}</b>`).join(", ") || "not available";
    parts.key.set("value", key(found.map(({ name, colour }) => [name, colour]), Object.entries(DASHES)));
    const alert = error ? `<div role="alert">${escaped(error)}</div>` : "";
    parts.areas.set("value", readout(`area between insertion and deletion (AID)${whose}: ${told}`, alert));
  }

  function countSteps(last) {
    step.set("description", main.steps);
    for (const one of [step, play]) {
      one.set("max", last);
      if (one.get("value") > last) one.set("value", last);
    }
  }

  // The marker and the masked pair at the step.
  function scrub() {
    const n = view.get("labels").length, at = chosen("step");
    plot.set("at", at);
    const masks = main && numbers(main.masks[chosen("side")]);
    view.set("present", Array.from({ length: n }, (_, k) => !masks || masks[at * n + k] > 0));
  }

  for (const name of ["p", "removed", "against", "also"]) parts[name]?.on("change:value", show);
  for (const name of ["step", "side"]) parts[name].on("change:value", () => hold(scrub));
  play.on("change:value", () => step.set("value", play.get("value")));
  step.on("change:value", () => play.set("value", step.get("value")));
  show();
}
