// Compare without a kernel: what is kept in one picture is kept in all, and one colour scale follows.
import { scalesOf } from "./pair.js";

export default function live({ parts, facts, hold }) {
  const views = facts.views.map((name) => parts[name]);

  // What tints the players of a view: their values, or their interactions with the player kept.
  function shown(view) {
    const numbers = (name) => new Float32Array(view.get(name).buffer), values = numbers("values");
    const n = values.length, kept = view.get("selected"), pairs = numbers("interactions");
    return kept >= 0 && kept < n && pairs.length ? pairs.subarray(kept * n, (kept + 1) * n) : values;
  }

  function rescale() {
    if (!parts.shared?.get("value")) return views.forEach((view) => view.set("scales", []));
    const most = [0, 0];
    for (const view of views) {
      const [rows, columns] = view.get("grid"), found = shown(view);
      found.forEach((value, player) => {
        const side = Number(player >= rows * columns);
        most[side] = Math.max(most[side], Math.abs(value));
      });
    }
    const { patches, words } = scalesOf(Float32Array.from(most), { scales: [], scaling: "auto", nImage: 1 });
    views.forEach((view) => view.set("scales", [patches, words]));
  }

  for (const view of views) {
    view.on("change:selected", () =>
      hold(() => {
        for (const other of views) other.set("selected", view.get("selected"));
        rescale();
      }));
  }
  parts.shared?.on("change:value", () => hold(rescale));
}
