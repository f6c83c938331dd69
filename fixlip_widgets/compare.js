// Compare without a kernel: what is kept in one picture is kept in all, and one colour scale follows.
import { scalesOf } from "./pair.js";

// What tints the players of a view: their values, or their interactions with the player kept, or triples with two.
function tints(view) {
  const numbers = (name) => new Float32Array(view.get(name).buffer), values = numbers("values"), n = values.length;
  const kept = view.get("selected"), pairs = numbers("interactions"), triples = numbers("triples");
  const [first, second] = [kept, view.get("second")].map((player) => player - nImage(view)).sort((a, b) => a - b);
  if (first >= 0 && triples.length) {
    const row = (first * (2 * (n - nImage(view)) - first - 1)) / 2 + second - first - 1;
    return triples.subarray(row * n, (row + 1) * n);
  }
  return kept >= 0 && kept < n && pairs.length ? pairs.subarray(kept * n, (kept + 1) * n) : values;
}

function nImage(view) {
  const [rows, columns] = view.get("grid");
  return rows * columns;
}

// One colour means one number in all views of a group.
export function rescale(groups) {
  for (const views of groups) {
    const most = [0, 0];
    for (const view of views) {
      tints(view).forEach((value, player) => {
        const side = Number(player >= nImage(view));
        most[side] = Math.max(most[side], Math.abs(value));
      });
    }
    const { patches, words } = scalesOf(Float32Array.from(most), { scales: [], scaling: "auto", nImage: 1 });
    for (const view of views) view.set("scales", [patches, words]);
  }
}

export default function live({ parts, facts, hold }) {
  const views = facts.views.map((name) => parts[name]);
  const follow = () => {
    if (parts.shared?.get("value")) return rescale([views]);
    for (const view of views) view.set("scales", []);
  };
  for (const view of views) {
    view.on("change:selected", () =>
      hold(() => {
        for (const other of views) other.set("selected", view.get("selected"));
        follow();
      }));
  }
  parts.shared?.on("change:value", () => hold(follow));
}
